"""What a run has found, counted: how each twin fared, and why its writes came to harm."""

from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from tests.faultlab.legend import HARM, Share
from tests.faultlab.matrix.faults import FAULTS
from tests.faultlab.matrix.records import Cell, MatrixRun
from tests.faultlab.matrix.rules import CLIENTS
from tests.support.control import COMPARED
from tests.support.history import Verdict
from tests.support.page import counted

_REASONS_SHOWN = 3  # of one harm; the others are in the map
_SEAMS_SHOWN = 3


class Reason(NamedTuple):
    """One way to come to a harm, and the cells that show it."""

    because: str
    cells: list[Cell]

    @property
    def where(self) -> str:
        """The operations, what the client did, and the seams."""
        parts = zip(*((cell.operation, cell.client, cell.seam) for cell in self.cells), strict=True)
        operations, clients, seams = (list(dict.fromkeys(part)) for part in parts)
        client = f", client {clients[0]}" if len(clients) < len(CLIENTS) else ""
        more = f" and {len(seams) - _SEAMS_SHOWN} more" if len(seams) > _SEAMS_SHOWN else ""
        return f"{', '.join(operations)}{client}, at {', '.join(seams[:_SEAMS_SHOWN])}{more}"


class Harm(NamedTuple):
    """The most frequent reasons for one harm of one twin, and how many cells have others."""

    verdict: Verdict
    reasons: list[Reason]
    others: int


@dataclass(frozen=True)
class TwinFindings:
    """How the writes of one twin fared."""

    title: str
    cells: list[Cell]

    def count(self, verdict: Verdict, client: str = "", fault: str = "", operation: str = "") -> Share:
        """Return how many cells have a verdict, of one behaviour of the client, of one fault or of one operation."""
        chosen = {"client": client, "fault": fault, "operation": operation}
        cells = [cell for cell in self.cells if all(wanted in ("", getattr(cell, of)) for of, wanted in chosen.items())]
        return Share(sum(cell.verdict is verdict for cell in cells), len(cells))

    def counts(self, verdict: Verdict) -> list[Share]:
        """Return how many cells have a verdict, for each behaviour of the client and for both."""
        return [self.count(verdict, client) for client in (*CLIENTS, "")]

    def verdicts(self, fault: str = "", operation: str = "") -> dict[Verdict, Share]:
        """Return the verdicts that cells of one fault or operation have, and how many have each."""
        counts = {verdict: self.count(verdict, fault=fault, operation=operation) for verdict in Verdict}
        return {verdict: count for verdict, count in counts.items() if count.number}

    def harms(self) -> list[Harm]:
        """Return what went wrong, the worst first."""
        found = []
        for verdict in HARM:
            cells = sorted((cell for cell in self.cells if cell.verdict is verdict), key=lambda cell: cell.because)
            reasons = [Reason(because, list(group)) for because, group in groupby(cells, key=lambda cell: cell.because)]
            reasons.sort(key=lambda reason: -len(reason.cells))
            others = sum(len(reason.cells) for reason in reasons[_REASONS_SHOWN:])
            found.append(Harm(verdict, reasons[:_REASONS_SHOWN], others))
        return [harm for harm in found if harm.reasons]

    def sentence(self) -> str:
        """Return how many writes left something untrue behind."""
        counts = {verdict: self.count(verdict).number for verdict in HARM}
        harmed = Share(sum(counts.values()), len(self.cells))
        writes = counted(harmed.total, "broken write")
        if not harmed.number:
            return f"None of {writes} left a user with something untrue."
        parts = [f"{number:,} {HARM[verdict]}" for verdict, number in counts.items() if number]
        return f"{harmed} of {writes} left a user with something untrue: {', '.join(parts)}."


class Lateness(NamedTuple):
    """By how many seconds a reminder was late at most."""

    twins: list[str]
    """The titles of those that remind."""
    rows: list[list[str]]
    """For each fault its name, and the number of each of them."""


def lateness(run: MatrixRun) -> Lateness:
    """Return how late reminders were under each fault."""
    twins = [twin for twin in COMPARED if twin.key in run.late]
    rows = [[fault.name, *(_seconds(run.late[twin.key].get(fault.name)) for twin in twins)] for fault in FAULTS]
    return Lateness([twin.title for twin in twins], [row for row in rows if any(row[1:])])


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f}"


def findings(run: MatrixRun) -> list[TwinFindings]:
    """Return what was found of each twin that was tried."""
    by_twin = [TwinFindings(twin.title, [cell for cell in run.cells if cell.twin == twin.key]) for twin in COMPARED]
    return [twin for twin in by_twin if twin.cells]
