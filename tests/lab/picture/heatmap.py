"""The panels of the heat map: seams across, faults down, one panel per twin and operation."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby

from tests.lab.matrix.batch import Case
from tests.lab.matrix.faults import FAULTS, Fault
from tests.lab.matrix.records import Cell, MatrixRun
from tests.lab.matrix.rules import CLIENTS
from tests.lab.matrix.seams import OPERATIONS, SEAMS, Seam
from tests.lab.words import TITLES


@dataclass(frozen=True)
class Square:
    """Where a fault meets a seam: a cell per behaviour of the client, or why there is none, or neither (not run)."""

    cells: list[Cell | None]
    impossible: str


@dataclass(frozen=True)
class Panel:
    """One twin and operation."""

    title: str
    operation: str
    seams: list[Seam]
    rows: list[tuple[Fault, list[Square]]]

    @property
    def links(self) -> list[tuple[str, int]]:
        """The links above the seams, each with how many neighbours it spans."""
        return [(link, len(list(seams))) for link, seams in groupby(self.seams, key=lambda seam: seam.link)]


def panels(run: MatrixRun) -> list[list[Panel]]:
    """Return for each operation that was run the panels of the twins that were run."""
    cells = {cell.id: cell for cell in run.cells}
    twins = [twin for twin in SEAMS if twin in {cell.twin for cell in run.cells}]
    operations = [operation for operation in OPERATIONS if operation in {cell.operation for cell in run.cells}]

    def square(seam: Seam, fault: Fault, operation: str) -> Square:
        cases = [Case(seam, fault, operation, client) for client in CLIENTS]
        return Square([cells.get(case.id) for case in cases], fault.impossible(seam))

    def panel(twin: str, operation: str) -> Panel:
        rows = [(fault, [square(seam, fault, operation) for seam in SEAMS[twin]]) for fault in FAULTS[twin]]
        return Panel(TITLES[twin], operation, SEAMS[twin], rows)

    return [[panel(twin, operation) for twin in twins] for operation in operations]


def left_out() -> dict[str, str]:
    """Return why combinations are impossible, and per reason which: the twin, the fault and its seams."""
    found: dict[str, list[str]] = defaultdict(list)
    for twin, seams in SEAMS.items():
        for fault in FAULTS[twin]:
            for because, group in groupby(sorted(seams, key=fault.impossible), key=fault.impossible):
                if because:
                    found[because].append(f"{TITLES[twin]}, {fault.name}: {', '.join(seam.name for seam in group)}")
    return {because: "; ".join(places) for because, places in found.items()}
