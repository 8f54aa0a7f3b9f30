"""The answer in words and numbers, computed from the cells."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tests.lab.history import Verdict

from .results import CLIENTS, OPERATIONS, TWINS, Cell, Client, Price, Results, Twin, count
from .words import HARM, NAMES, PLAINLY, times

_REASONS = 3  # of one harm that are told; the others are in the map


@dataclass(frozen=True)
class Reason:
    """One way to come to a harm: how often, where, and a cell that shows it."""

    because: str
    cells: list[Cell]

    @property
    def where(self) -> str:
        """The operations, what the client did, and the seams."""
        present = {cell.operation for cell in self.cells}
        operations = [operation for operation in OPERATIONS if operation in present]
        clients = [client for client in CLIENTS if client in {cell.client for cell in self.cells}]
        seams = list(dict.fromkeys(cell.seam for cell in self.cells))
        shown = ", ".join(seams[:3]) + (f" and {len(seams) - 3} more" if len(seams) > 3 else "")
        who = "" if len(clients) == len(CLIENTS) else f", client {clients[0]}"
        return f"{', '.join(operations)}{who}, at {shown}"


@dataclass(frozen=True)
class Harm:
    """All cells of one twin that came to one of the harms."""

    verdict: Verdict
    number: int
    reasons: list[Reason]
    others: int


@dataclass(frozen=True)
class TwinAnswer:
    """What one twin came to."""

    twin: Twin
    name: str
    number: int
    counts: Counter[Verdict]
    by_client: dict[Client, Counter[Verdict]]
    harms: list[Harm]

    @property
    def sentence(self) -> str:
        """The counts of the harms in one sentence, with the reason for most of the ghosts."""
        duplicated, lost, stuck, ghosts = (self.counts[verdict] for verdict in HARM)
        first = f"Of {times(self.number, 'broken write')}, {PLAINLY[self.twin]} duplicated {duplicated:,}, "
        text = f"{first}lost {lost:,}, left {stuck:,} stuck and {times(ghosts, 'ghost')}"
        text += ": it happened, and the client was not told so." if ghosts else "."
        if reason := next((harm.reasons[0] for harm in self.harms if harm.verdict is Verdict.GHOST), None):
            share = "All" if len(reason.cells) == ghosts else f"{len(reason.cells):,}"
            text += f" {share} of these: {_as_clause(reason.because)}"
        return text


def answer(results: Results) -> list[TwinAnswer]:
    """Return the answer of each twin that has cells."""
    return [
        TwinAnswer(
            twin=twin,
            name=NAMES[twin],
            number=len(cells),
            counts=count(cells),
            by_client={client: count(results.of(twin, client)) for client in CLIENTS},
            harms=[_harm(verdict, cells) for verdict in HARM if count(cells)[verdict]],
        )
        for twin in TWINS
        if (cells := results.of(twin))
    ]


def _harm(verdict: Verdict, cells: Iterable[Cell]) -> Harm:
    by_reason: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.verdict is verdict:
            by_reason[cell.because].append(cell)
    reasons = sorted((Reason(*item) for item in by_reason.items()), key=lambda reason: -len(reason.cells))
    return Harm(
        verdict,
        number=sum(len(reason.cells) for reason in reasons),
        reasons=reasons[:_REASONS],
        others=sum(len(reason.cells) for reason in reasons[_REASONS:]),
    )


def _as_clause(sentence: str) -> str:
    """Return a sentence as it follows a colon: `The COMMIT` begins small, `PostgreSQL` and `COMMIT` do not."""
    first, _, rest = sentence.partition(" ")
    first = first.lower() if first in ("The", "A", "An", "Its", "It", "No", "Nobody", "Nothing", "What") else first
    return f"{first} {rest}".rstrip(". ") + "."


@dataclass(frozen=True)
class PriceLine:
    """One measure of both twins; `factor` is how many times the first the second is."""

    measure: str
    explains: str
    basic: str
    restate: str
    factor: str
    difference: str


def price_lines(results: Results) -> list[PriceLine]:
    """Return the price line by line, or nothing if it was not measured for both."""
    if not set(TWINS) <= set(results.price):
        return []
    basic, restate = results.price["basic"], results.price["restate"]

    def line(measure: str, explains: str, field: str, unit: str) -> PriceLine:
        before, after = getattr(basic, field), getattr(restate, field)
        digits = 0 if field == "processes" else 1
        return PriceLine(
            measure,
            explains,
            f"{before:,.{digits}f}{unit}",
            f"{after:,.{digits}f}{unit}",
            f"{after / before:.1f}\N{MULTIPLICATION SIGN}" if before else "",
            f"{after - before:+,.{digits}f}{unit}".replace("-", "\N{MINUS SIGN}"),
        )

    return [
        line("an add, median", "half of all adds are answered within", "add_p50_ms", " ms"),
        line("an add, 99th percentile", "99 of 100 adds are answered within", "add_p99_ms", " ms"),
        line("processes", "to run, watch and upgrade", "processes", ""),
        line("memory", "of all processes together", "memory_mb", " MB"),
    ]


def price_sentence(results: Results) -> str:
    """Return what Restate costs in one sentence, or nothing if it was not measured for both."""
    if not set(TWINS) <= set(results.price):
        return ""
    basic, restate = results.price["basic"], results.price["restate"]
    processes = times(restate.processes - basic.processes, "more process", "more processes")
    memory = _compare(basic, restate, "memory_mb")
    return (
        f"Restate costs {_compare(basic, restate, 'add_p50_ms')} the time for an add ({basic.add_p50_ms:.1f} ms become "
        f"{restate.add_p50_ms:.1f} ms at the median), {processes} and {memory} the memory."
    )


def _compare(basic: Price, restate: Price, field: str) -> str:
    before, after = getattr(basic, field), getattr(restate, field)
    return f"{after / before:.1f} times" if before else "an unknown multiple of"
