"""The verdicts that the repository publishes: for each fault a line with one symbol per seam, in results.json.

    python -m tests.faultlab.published            # publish the last whole run of make compare, if it is newer
    python -m tests.faultlab.published --check    # fail if the verdicts are older than the code of a write

Only a whole run is published in which every verdict is as predicted, so the reasons are those of the rules.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import click

from tests.faultlab.legend import LEGEND
from tests.faultlab.matrix.cases import Case, every_case
from tests.faultlab.matrix.faults import FAULTS
from tests.faultlab.matrix.records import MatrixRun
from tests.faultlab.matrix.rules import CLIENTS
from tests.faultlab.matrix.seams import SEAMS
from tests.support.write_path import write_path_hash
from todo_stack.paths import REPOSITORY

LAST_RUN = REPOSITORY / ".data" / "compare" / "results.json"
PUBLISHED = Path(__file__).with_name("results.json")
AGAIN = "type make compare (a quarter of an hour), then make readme"

_VERDICTS = {entry.symbol: verdict for verdict, entry in LEGEND.items()}


class NotPublishableError(ValueError):
    """The verdicts are of another matrix than this one, or not as predicted, or older than the code."""


def publish(run: MatrixRun, path: Path = PUBLISHED) -> None:
    """Write the verdicts of a run, if none is missing and each is as predicted."""
    if run.unexpected:
        raise NotPublishableError(f"{len(run.unexpected)} verdicts are not as predicted")
    symbols = {cell.id: LEGEND[cell.verdict].symbol for cell in run.cells}
    if symbols.keys() != {case.id for case in every_case()}:
        raise NotPublishableError("this is not a run of the whole matrix")
    file = {**run.model_dump(mode="json", exclude={"cells"}), **_lines(symbols)}
    path.write_text(json.dumps(file, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path = PUBLISHED) -> MatrixRun:
    """Return the run whose verdicts are published. Its cells say nothing of how these came about."""
    file = json.loads(path.read_text(encoding="utf-8"))
    lines = {part: file.pop(part) for part in ("seams", "verdicts")}
    symbols = {
        case.id: symbol
        for block, fault, cases in _rows()
        for case, symbol in zip(cases, lines["verdicts"].get(block, {}).get(fault, ""), strict=False)
        if symbol in _VERDICTS
    }
    tried = every_case()
    if _lines(symbols) != lines or symbols.keys() != {case.id for case in tried}:
        raise NotPublishableError(f"{path.name} is of another matrix: {AGAIN}")
    return MatrixRun(**file, cells=[case.cell(_VERDICTS[symbols[case.id]]) for case in tried])


def _rows() -> Iterator[tuple[str, str, list[Case]]]:
    """Yield for each line its block, its fault, and a case per seam, also those that are left out."""
    for twin, operations in SEAMS.items():
        for (operation, seams), client, fault in product(operations.items(), CLIENTS, FAULTS):
            yield f"{twin}/{operation}/{client}", fault.name, [Case(seam, fault, client) for seam in seams]


def _lines(symbols: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the seams, and for each fault a line of symbols that has a dot where the fault is left out."""
    verdicts: dict[str, dict[str, str]] = {}
    for block, fault, cases in _rows():
        line = "".join(symbols.get(case.id, ".") for case in cases)
        if line.strip("."):
            verdicts.setdefault(block, {})[fault] = line
    seams = {
        f"{twin}/{operation}": ", ".join(seam.name for seam in seams)
        for twin, operations in SEAMS.items()
        for operation, seams in operations.items()
    }
    return {"seams": seams, "verdicts": verdicts}


@click.command()
@click.option("--check", is_flag=True, help="Only fail if the published verdicts are older than the code of a write.")
def main(check: bool) -> None:
    """Publish the last whole run of make compare, if it is newer than what is published."""
    try:
        if check:
            if read().write_path != write_path_hash(REPOSITORY):
                raise NotPublishableError(f"the published verdicts are older than the code: {AGAIN}")
            return
        # Not read(): what is published may be of another matrix, which is when a new run is most wanted.
        published = datetime.fromisoformat(json.loads(PUBLISHED.read_text(encoding="utf-8"))["started"])
        if LAST_RUN.exists() and (run := MatrixRun.read(LAST_RUN)).started > published:
            publish(run)
            published = run.started
    except ValueError as error:
        # Also that the last run was made by an earlier version of the fault lab, and cannot be read.
        raise click.ClickException(str(error)) from error
    print(f"published: the run of {published:%Y-%m-%d %H:%M %Z}")


if __name__ == "__main__":
    main()
