"""The cases: every operation, at every seam, hit by every fault that makes sense there, with both kinds of client."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from tests.faultlab.matrix.faults import FAULTS, Fault
from tests.faultlab.matrix.records import Cell
from tests.faultlab.matrix.rules import clients_at, expected
from tests.faultlab.matrix.seams import SEAMS, Seam
from tests.support.history import Verdict


@dataclass(frozen=True)
class Case:
    """One cell to be tried."""

    seam: Seam
    fault: Fault
    client: str

    @property
    def id(self) -> str:
        """Its name: twin/operation/seam/fault/client."""
        return f"{self.seam.twin.key}/{self.seam.operation}/{self.seam.name}/{self.fault.name}/{self.client}"

    def cell(self, verdict: Verdict, **found: object) -> Cell:
        """Return the record of a verdict on it, beside what the rules expect, with what else was found."""
        names = {"twin": self.seam.twin.key, "seam": self.seam.name, "fault": self.fault.name}
        wanted, because = expected(self.seam, self.fault, self.client)
        said = {"operation": self.seam.operation, "client": self.client, "expected": wanted, "because": because}
        return Cell.model_validate({**names, **said, "verdict": verdict, **found})


def cases(seams: Iterable[Seam], faults: Iterable[Fault]) -> list[Case]:
    """Return all cells that make sense, those of one fault together."""
    seams = list(seams)
    return [
        Case(seam, fault, client)
        for fault in faults
        for seam in seams
        if not fault.why_left_out(seam)
        for client in clients_at(seam, fault)
    ]


def every_case() -> list[Case]:
    """Return the whole matrix."""
    return [case for operations in SEAMS.values() for case in cases(chain(*operations.values()), FAULTS)]
