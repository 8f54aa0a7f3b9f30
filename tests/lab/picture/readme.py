"""The README's table of verdicts, generated from results.json so that it cannot claim anything else."""

from pathlib import Path

from tests.lab.history import Verdict

from .answer import answer, price_sentence
from .markers import Section
from .results import CLIENTS, Results
from .words import HARM, times

SECTION = Section("verdicts")
_VERSIONS = ("PostgreSQL", "Restate", "Python", "Flask")


def render(results: Results) -> str:
    """Return the table as Markdown: verdicts per twin and behaviour of the client, the price, and what was measured."""
    lines = [
        "| twin | client | " + " | ".join(verdict.value for verdict in Verdict) + " | all |",
        "|---|---|" + "--:|" * (len(Verdict) + 1),
    ]
    for twin in answer(results):
        for client in CLIENTS:
            counts = twin.by_client[client]
            numbers = " | ".join(_number(counts[verdict], verdict) for verdict in Verdict)
            lines.append(f"| {twin.name} | {client} | {numbers} | {counts.total():,} |")
    versions = [f"{name} {results.versions[name]}" for name in _VERSIONS if name in results.versions]
    unexpected = len(results.unexpected)
    lines += [
        "",
        f"{times(len(results.cells), 'write')}, each stopped at one message and met there by one fault; "
        f"{'each verdict is the expected one' if not unexpected else f'{unexpected:,} not as expected'}. "
        f"Measured on {results.started:%Y-%m-%d} with {', '.join(versions)}, seed {results.seed}.",
    ]
    if price := price_sentence(results):
        lines += ["", price]
    return "\n".join(lines)


def write(path: Path, results: Results) -> None:
    """Put the table between the markers.

    Raises:
        NoMarkersError: the file does not have each marker once, in order.

    """
    SECTION.write(path, render(results))


def is_current(path: Path, results: Results) -> bool:
    """Return whether what is between the markers is what these results say.

    Raises:
        NoMarkersError: the file does not have each marker once, in order.

    """
    return SECTION.says(path, render(results))


def _number(number: int, verdict: Verdict) -> str:
    return f"**{number:,}**" if number and verdict in HARM else f"{number:,}"
