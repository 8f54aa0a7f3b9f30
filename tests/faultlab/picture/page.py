"""The picture: one HTML file that needs nothing else."""

import base64
import gzip
import json
from collections import defaultdict
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tests.faultlab.laboratory import PROCESSES
from tests.faultlab.legend import HARM, LEGEND, counted
from tests.faultlab.matrix.cases import Case
from tests.faultlab.matrix.faults import FAULTS, Fault
from tests.faultlab.matrix.records import Cell, MatrixRun
from tests.faultlab.matrix.rules import CLIENTS
from tests.faultlab.matrix.seams import SEAMS, Seam
from tests.faultlab.submitted import OPERATIONS
from todo_stack.twins import TWINS

from .findings import findings

_HERE = Path(__file__).parent


def _inline(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of this folder


def render(run: MatrixRun) -> str:
    """Return the page."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    cells = {cell.id: cell for cell in run.cells}

    def cells_at(seam: Seam, fault: Fault, operation: str) -> list[Cell | None]:
        return [cells.get(Case(seam, fault, operation, client).id) for client in CLIENTS]

    return environment.get_template("compare.html.j2").render(
        run=run,
        twins=findings(run),
        operations=[operation for operation in OPERATIONS if operation in {cell.operation for cell in run.cells}],
        tried=[twin for twin in TWINS if twin.key in {cell.twin for cell in run.cells}],
        cells_at=cells_at,
        links=_links,
        left_out=_left_out(),
        seams=SEAMS,
        faults=FAULTS,
        harm=HARM,
        legend=LEGEND,
        clients=CLIENTS,
        counted=counted,
        style=_inline("compare.css"),
        script=_inline("sequence.js") + _inline("compare.js"),
        data=_packed(run),
    )


def _links(seams: list[Seam]) -> list[tuple[str, int]]:
    """Return the links above the seams, each with how many neighbours it spans."""
    return [(link, len(list(neighbours))) for link, neighbours in groupby(seams, key=lambda seam: seam.link)]


def _left_out() -> dict[str, str]:
    """Return why combinations are left out, and per reason which: the twin, the fault and its seams."""
    found: dict[str, list[str]] = defaultdict(list)
    for twin, seams in SEAMS.items():
        for fault in FAULTS:
            for because, group in groupby(sorted(seams, key=fault.why_left_out), key=fault.why_left_out):
                if because:
                    found[because].append(f"{twin.title}, {fault.name}: {', '.join(seam.name for seam in group)}")
    return {because: "; ".join(places) for because, places in found.items()}


def _packed(run: MatrixRun) -> str:
    """Return all that opening a cell needs, in few bytes of which none can be taken for markup."""
    data = {
        "cells": {cell.anchor: cell.model_dump(mode="json", exclude_defaults=True) for cell in run.cells},
        "lanes": {twin.key: ("client", *processes) for twin, processes in PROCESSES.items()},
        "titles": {twin.key: twin.title for twin in TWINS},
        "verdicts": {verdict.value: (entry.symbol, entry.css) for verdict, entry in LEGEND.items()},
    }
    return base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()
