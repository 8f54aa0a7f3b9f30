"""The panels of the heat map: seams across, faults down, one panel per twin and operation."""

from dataclasses import dataclass
from itertools import groupby

from .results import CLIENTS, OPERATIONS, TWINS, Cell, Fault, Impossible, OperationKind, Results, Seam, Twin
from .words import NAMES


@dataclass(frozen=True)
class Square:
    """Where a fault meets a seam: a cell per behaviour of the client, or why there is none, or neither (not run)."""

    cells: list[Cell | None]
    impossible: str

    @property
    def empty(self) -> bool:
        """Whether no cell of it was run."""
        return not any(self.cells)


@dataclass(frozen=True)
class Panel:
    """One twin and operation."""

    twin: Twin
    name: str
    operation: OperationKind
    seams: list[Seam]
    rows: list[tuple[Fault, list[Square]]]

    @property
    def links(self) -> list[tuple[str, int]]:
        """The links over the seams, each with how many neighbours it spans."""
        return [(link, len(list(seams))) for link, seams in groupby(self.seams, key=lambda seam: seam.link)]


def panels(results: Results) -> list[list[Panel]]:
    """Return for each operation that was run the panels of the twins."""
    present = {cell.operation for cell in results.cells}
    twins = [twin for twin in TWINS if results.of(twin)]
    cells = {(cell.twin, cell.operation, cell.seam, cell.fault, cell.client): cell for cell in results.cells}
    reasons = {(point.twin, point.seam, point.fault): point.because for point in results.impossible}

    def square(operation: OperationKind, seam: Seam, fault: Fault) -> Square:
        point = (seam.twin, operation, seam.name, fault.name)
        return Square(
            [cells.get((*point, client)) for client in CLIENTS],
            reasons.get((seam.twin, seam.name, fault.name), ""),
        )

    def panel(twin: Twin, operation: OperationKind) -> Panel:
        seams = [seam for seam in results.seams if seam.twin == twin]
        rows = [(fault, [square(operation, seam, fault) for seam in seams]) for fault in results.faults]
        return Panel(twin, NAMES[twin], operation, seams, rows)

    return [[panel(twin, operation) for twin in twins] for operation in OPERATIONS if operation in present]


@dataclass(frozen=True)
class Reasoned:
    """The combinations that one reason makes impossible."""

    because: str
    points: list[Impossible]

    @property
    def where(self) -> str:
        """The combinations in words: per twin and fault the seams."""
        groups: dict[tuple[Twin, str], list[str]] = {}
        for point in self.points:
            groups.setdefault((point.twin, point.fault), []).append(point.seam)
        return "; ".join(f"{NAMES[twin]}, {fault}: {', '.join(seams)}" for (twin, fault), seams in groups.items())


def impossible(results: Results) -> list[Reasoned]:
    """Return the impossible combinations by reason."""
    groups: dict[str, list[Impossible]] = {}
    for point in results.impossible:
        groups.setdefault(point.because, []).append(point)
    return [Reasoned(because, points) for because, points in groups.items()]
