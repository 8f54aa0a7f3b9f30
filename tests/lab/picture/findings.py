"""What a run has found, counted: how each twin fared, and for what reasons its writes came to harm."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

from tests.lab.history import Verdict
from tests.lab.matrix.records import Cell, MatrixRun
from tests.lab.matrix.rules import CLIENTS
from tests.lab.matrix.seams import OPERATIONS
from tests.lab.words import HARM, TITLES, Count, count, counted
from todo_stack.ports import TWINS

_REASONS_SHOWN = 3  # of one harm; the others are in the map
_SEAMS_SHOWN = 3
_IN_SENTENCE = {
    Verdict.DUPLICATED: "duplicated",
    Verdict.LOST: "lost",
    Verdict.STUCK: "stuck",
    Verdict.GHOST: "done without the client being told so",
}


@dataclass(frozen=True)
class Reason:
    """One way to come to a harm, and the cells that show it."""

    because: str
    cells: list[Cell]

    @property
    def where(self) -> str:
        """The operations, what the client did, and the seams."""
        operations = [operation for operation in OPERATIONS if operation in {cell.operation for cell in self.cells}]
        clients = {cell.client for cell in self.cells}
        client = f", client {min(clients)}" if len(clients) < len(CLIENTS) else ""
        seams = list(dict.fromkeys(cell.seam for cell in self.cells))
        more = f" and {len(seams) - _SEAMS_SHOWN} more" if len(seams) > _SEAMS_SHOWN else ""
        return f"{', '.join(operations)}{client}, at {', '.join(seams[:_SEAMS_SHOWN])}{more}"


@dataclass(frozen=True)
class Harm:
    """The cells of one twin that came to one harm, by reason, the most frequent first."""

    verdict: Verdict
    reasons: list[Reason]

    @property
    def number(self) -> int:
        """How many cells there are."""
        return sum(len(reason.cells) for reason in self.reasons)

    @property
    def shown(self) -> list[Reason]:
        """The most frequent reasons."""
        return self.reasons[:_REASONS_SHOWN]

    @property
    def not_shown(self) -> int:
        """How many cells have another reason."""
        return self.number - sum(len(reason.cells) for reason in self.shown)


@dataclass(frozen=True)
class TwinFindings:
    """How the writes of one twin fared."""

    twin: str
    cells: list[Cell]

    @property
    def title(self) -> str:
        """What the twin is called."""
        return TITLES[self.twin]

    def count(self, verdict: Verdict, client: str = "", fault: str = "") -> Count:
        """Return how many cells, of one behaviour of the client or of one fault, came to a verdict."""
        return count(
            verdict,
            [cell.verdict for cell in self.cells if client in ("", cell.client) and fault in ("", cell.fault)],
        )

    def columns(self, verdict: Verdict) -> list[Count]:
        """Return the counts of a verdict for each behaviour of the client, and for both."""
        return [self.count(verdict, client) for client in (*CLIENTS, "")]

    @cached_property
    def harms(self) -> list[Harm]:
        """What went wrong."""
        found = []
        for verdict in HARM:
            by_reason: dict[str, list[Cell]] = defaultdict(list)
            for cell in self.cells:
                if cell.verdict is verdict:
                    by_reason[cell.because].append(cell)
            if by_reason:
                reasons = [Reason(*item) for item in by_reason.items()]
                found.append(Harm(verdict, sorted(reasons, key=lambda reason: -len(reason.cells))))
        return found

    @property
    def sentence(self) -> str:
        """How many writes left something untrue behind."""
        harmed = Count(sum(harm.number for harm in self.harms), len(self.cells))
        writes = counted(harmed.total, "broken write")
        if not harmed.number:
            return f"None of {writes} left a user with something untrue."
        parts = [f"{harm.number:,} {_IN_SENTENCE[harm.verdict]}" for harm in self.harms]
        return f"{harmed} of {writes} left a user with something untrue: {', '.join(parts)}."


def findings(run: MatrixRun) -> list[TwinFindings]:
    """Return what was found of each twin that was tried."""
    by_twin = [TwinFindings(twin, [cell for cell in run.cells if cell.twin == twin]) for twin in TWINS]
    return [twin for twin in by_twin if twin.cells]
