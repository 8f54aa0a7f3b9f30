"""The verdicts that the repository publishes: for each fault a line with one symbol per seam, in results.json.

    python -m tests.faultlab.matrix.published            # publish the last whole run of make compare, if it is newer
    python -m tests.faultlab.matrix.published --check    # fail if the verdicts are older than the code of a write

Only a whole run is published in which every verdict is as foretold, so the reasons are those of the rules.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from tests.faultlab.matrix.batch import Case
from tests.faultlab.matrix.lanes import every_case
from tests.faultlab.matrix.records import Cell, MatrixRun
from tests.faultlab.matrix.rules import expected
from tests.faultlab.matrix.seams import SEAMS
from tests.faultlab.words import WORDS
from tests.support.write_path import write_path_hash
from todo_stack.applications import REPOSITORY

LAST_RUN = REPOSITORY / ".data" / "compare" / "results.json"
PUBLISHED = Path(__file__).parents[1] / "results.json"
AGAIN = "type make compare (three minutes), then make readme"

_VERDICTS = {word.symbol: verdict for verdict, word in WORDS.items()}


class NotPublishableError(ValueError):
    """The verdicts are of another matrix than that of now, or not as foretold, or older than the code."""


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
    file = {**run.model_dump(mode="json", exclude={"cells"}), **_verdicts(symbols)}
    path.write_text(json.dumps(file, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(path: Path = PUBLISHED) -> MatrixRun:
    """Return the run whose verdicts are published. Its cells say nothing of how these came about.

    Raises:
        NotPublishableError: it was of another matrix than this.

    """
    file = json.loads(path.read_text(encoding="utf-8"))
    seams, verdicts = file.pop("seams"), file.pop("verdicts")
    symbols = {}
    for case in every_case():
        line = verdicts.get(_block(case), {}).get(case.fault.name, "")
        symbols[case.id] = line[SEAMS[case.seam.twin].index(case.seam) :][:1]
    if _verdicts(symbols) != {"seams": seams, "verdicts": verdicts} or not _VERDICTS.keys() >= set(symbols.values()):
        raise NotPublishableError(f"{path.name} is of another matrix: {AGAIN}")
    return MatrixRun.model_validate({**file, "cells": [_cell(case, symbols[case.id]) for case in every_case()]})


def _block(case: Case) -> str:
    return f"{case.seam.twin}/{case.operation}/{case.client}"


def _verdicts(symbols: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the seams, and for each fault a line of symbols that has a dot where the fault is impossible."""
    lines: dict[str, dict[str, list[str]]] = {}
    for case in every_case():
        line = lines.setdefault(_block(case), {}).setdefault(case.fault.name, ["."] * len(SEAMS[case.seam.twin]))
        line[SEAMS[case.seam.twin].index(case.seam)] = symbols[case.id]
    return {
        "seams": {twin: ", ".join(seam.name for seam in seams) for twin, seams in SEAMS.items()},
        "verdicts": {
            block: {fault: "".join(line) for fault, line in faults.items()} for block, faults in lines.items()
        },
    }


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
    except NotPublishableError as error:
        raise click.ClickException(str(error)) from error
    print(f"published: the run of {published:%Y-%m-%d %H:%M %Z}")


if __name__ == "__main__":
    main()
