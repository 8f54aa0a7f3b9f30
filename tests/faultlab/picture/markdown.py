"""The generated parts of the READMEs. They are made by cog, from the published verdicts and the matrix as it is."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain

from tests.faultlab import published
from tests.faultlab.legend import BAD, HARM, LEGEND, Share
from tests.faultlab.matrix.faults import FAULTS
from tests.faultlab.matrix.records import MatrixRun
from tests.faultlab.matrix.rules import CLIENTS
from tests.faultlab.matrix.seams import KINDS, SEAMS
from tests.support.control import LEDGER_ONLY, WHERE_IT_ENDS
from tests.support.history import Verdict
from tests.support.page import counted
from tests.support.run_environment import MAIN_VERSIONS
from tests.support.truth import OPERATIONS

from .findings import findings, lateness

published_run = cache(published.read)

RULES = "tests/faultlab/matrix/rules.py"


def verdicts(run: MatrixRun) -> str:
    """Return what each verdict means, and how many writes have it, per twin and behaviour of the client."""
    twins = findings(run)
    rows = [
        [f"{entry.symbol} {verdict.value}", entry.client, entry.database]
        + [_shown(twin.count(verdict, client), verdict) for twin in twins for client in CLIENTS]
        for verdict, entry in LEGEND.items()
    ]
    heads = [f"{twin.title}, {client}" for twin in twins for client in CLIENTS]
    return _table(["verdict", "the client was told", "in the database and outside", *heads], rows, numbers=len(heads))


def verdicts_by_fault(run: MatrixRun) -> str:
    """Return what became of the writes that each fault hit."""
    return _verdicts_by(run, "fault", [fault.name for fault in FAULTS])


def verdicts_by_operation(run: MatrixRun) -> str:
    """Return what became of each kind of write."""
    return _verdicts_by(run, "operation", OPERATIONS)


def what_goes_wrong(run: MatrixRun) -> str:
    """Return how often each kind of write came to what must not be, per twin and behaviour of the client."""
    twins = findings(run)

    def shown(operation: str, client: str, counts: Callable[..., Share]) -> str:
        every = [counts(verdict, client=client, operation=operation) for verdict in BAD]
        return str(Share(sum(one.number for one in every), every[0].total)) if every[0].total else ""

    rows = [[name, *(shown(name, client, twin.count) for twin in twins for client in CLIENTS)] for name in OPERATIONS]
    heads = [f"{twin.title}, {client}" for twin in twins for client in CLIENTS]
    return _table(["operation", *heads], rows, numbers=len(heads))


def _verdicts_by(run: MatrixRun, of: str, names: Iterable[str]) -> str:
    def shown(counts: dict[Verdict, Share]) -> str:
        return ", ".join(f"{LEGEND[verdict].symbol} {_shown(count, verdict)}" for verdict, count in counts.items())

    twins = findings(run)
    rows = [[name, *(shown(twin.verdicts(**{of: name})) for twin in twins)] for name in names]
    return _table([of, *(twin.title for twin in twins)], [row for row in rows if any(row[1:])])


def late(run: MatrixRun) -> str:
    """Return by how many seconds reminders were late at most, under each fault."""
    titles, rows = lateness(run)
    return _table(["fault", *titles], rows, numbers=len(titles))


def harms(run: MatrixRun) -> str:
    """Return what went wrong in each twin, and why, with the command that shows one of each."""
    lines = []
    for twin in findings(run):
        lines += [f"**{twin.title}.** {twin.sentence()}", ""]
        for harm in twin.harms():
            lines += [
                f"- {harm.verdict.value}, {counted(len(reason.cells), 'time')}: {reason.because} "
                f"Where: {reason.where}. See one: `{reason.cells[0].command}`"
                for reason in harm.reasons
            ]
            if harm.others:
                lines.append(f"- {harm.verdict.value}, {counted(harm.others, 'time')} for other reasons: see the page.")
        lines.append("")
    return "\n".join(lines).rstrip()


def measured(run: MatrixRun) -> str:
    """Return when this was found, where, and with which versions."""
    versions = ", ".join(f"{name} {run.versions[name]}" for name in MAIN_VERSIONS)
    predicted = f"{len(run.unexpected):,} verdicts are not" if run.unexpected else "each verdict is"
    control = f"\n\n{WHERE_IT_ENDS}" if LEDGER_ONLY.key in {cell.twin for cell in run.cells} else ""
    return (
        f"{counted(len(run.cells), 'write')}, each stopped at one seam and hit by one fault; {predicted} as `{RULES}` "
        f"predicts. Run on {run.started:%Y-%m-%d} with {versions}, seed {run.seed}.{control}"
    )


def seams() -> str:
    """Return the kinds of seams, in the order in which a write meets them first."""
    rows = [
        [kind.name, " / ".join(links), ", ".join(dict.fromkeys(seam.operation for seam in found)), kind.explains]
        for kind in KINDS
        if (found := [seam for of_twin in SEAMS.values() for seam in chain(*of_twin.values()) if seam.kind is kind])
        and (links := dict.fromkeys(seam.link for seam in found))
    ]
    return _table(["seam", "link", "operations", "what is held there"], rows)


def faults() -> str:
    """Return the faults by what they do."""
    names: dict[str, list[str]] = defaultdict(list)
    for fault in FAULTS:
        names[fault.kind.value].append(fault.name)
    return _table(["fault", "what it does"], [[", ".join(alike), does] for does, alike in names.items()])


def _shown(count: Share, verdict: Verdict) -> str:
    return f"**{count}**" if count.number and verdict in HARM else str(count)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """Return a table whose last columns are numbers."""
    rule = ["---"] * (len(heads) - numbers) + ["--:"] * numbers
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, rule, *rows])
