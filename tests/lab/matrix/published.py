"""The verdicts that the repository publishes: for each fault a line with one symbol per seam, in results.json.

    python -m tests.lab.matrix.published            # publish the last whole run of make compare, if it is newer
    python -m tests.lab.matrix.published --check    # fail if the verdicts are older than the write path

Only a whole run is published in which every verdict is as foretold, so the reasons are those of the rules.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from tests.lab.matrix.batch import Case
from tests.lab.matrix.faults import FAULTS
from tests.lab.matrix.lanes import every_case
from tests.lab.matrix.records import Cell, MatrixRun
from tests.lab.matrix.rules import CLIENTS, expected
from tests.lab.matrix.seams import OPERATIONS, SEAMS
from tests.lab.matrix.write_path import write_path_hash
from tests.lab.words import WORDS
from todo_stack.applications import REPOSITORY

LAST_RUN = REPOSITORY / ".data" / "compare" / "results.json"
PUBLISHED = Path(__file__).parents[1] / "results.json"
AGAIN = "type make compare (three minutes), then make readme"

_LEFT_OUT = "."
_VERDICTS = {word.symbol: verdict for verdict, word in WORDS.items()}


class NotPublishableError(ValueError):
    """The run or the file is not of the whole matrix as it is now, or has verdicts that were not foretold."""


def publish(run: MatrixRun, path: Path = PUBLISHED) -> None:
    """Write the verdicts of a run.

    Raises:
        NotPublishableError: some are missing, or not as foretold.

    """
    if run.unexpected:
        raise NotPublishableError(f"{len(run.unexpected)} verdicts are not as foretold")
    symbols = {cell.id: WORDS[cell.verdict].symbol for cell in run.cells}
    if symbols.keys() != {case.id for case in every_case()}:
        raise NotPublishableError("this is not a run of the whole matrix")
    verdicts: dict[str, dict[str, str]] = {}
    for block, fault, cases in _lines():
        verdicts.setdefault(block, {})[fault] = "".join(symbols.get(case.id, _LEFT_OUT) for case in cases)
    about = run.model_dump(mode="json", exclude={"cells"})
    text = json.dumps({**about, "seams": _seams(), "verdicts": verdicts}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read(path: Path = PUBLISHED) -> MatrixRun:
    """Return the run whose verdicts are published. Its cells say nothing of how these came about.

    Raises:
        NotPublishableError: it was of another matrix than this.

    """
    about = json.loads(path.read_text(encoding="utf-8"))
    seams, verdicts = about.pop("seams"), about.pop("verdicts")
    try:
        cells = [
            _cell(case, symbol)
            for block, fault, cases in _lines()
            for case, symbol in zip(cases, verdicts[block][fault], strict=True)
            if (symbol != _LEFT_OUT) or not case.fault.impossible(case.seam)
        ]
    except (KeyError, ValueError) as error:
        raise NotPublishableError(f"{path.name} is of another matrix: {AGAIN}") from error
    if seams != _seams() or len(cells) != len(every_case()):
        raise NotPublishableError(f"{path.name} is of another matrix: {AGAIN}")
    return MatrixRun.model_validate({**about, "cells": cells})


def _lines() -> Iterator[tuple[str, str, list[Case]]]:
    """Yield the lines of the file: block, fault, and a case for each seam, even where the fault is impossible."""
    for twin, seams in SEAMS.items():
        for operation in OPERATIONS:
            for client in CLIENTS:
                for fault in FAULTS[twin]:
                    cases = [Case(seam, fault, operation, client) for seam in seams]
                    yield f"{twin}/{operation}/{client}", fault.name, cases


def _seams() -> dict[str, str]:
    return {twin: ", ".join(seam.name for seam in seams) for twin, seams in SEAMS.items()}


def _cell(case: Case, symbol: str) -> Cell:
    verdict, because = expected(case.seam, case.fault, case.operation, case.client)
    return Cell(
        twin=case.seam.twin,
        operation=case.operation,
        seam=case.seam.name,
        fault=case.fault.name,
        client=case.client,
        expected=verdict,
        verdict=_VERDICTS[symbol],
        because=because,
    )


@click.command()
@click.option("--check", is_flag=True, help="Only fail if the published verdicts are older than the write path.")
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
    except NotPublishableError as error:
        raise click.ClickException(str(error)) from error
    print(f"published: the run of {published:%Y-%m-%d %H:%M %Z}")


if __name__ == "__main__":
    main()
