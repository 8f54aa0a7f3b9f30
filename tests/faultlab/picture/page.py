"""The picture of a run, as a page."""

import base64
import gzip
import json
from collections import defaultdict
from datetime import timedelta
from functools import partial
from itertools import groupby, product
from operator import attrgetter
from pathlib import Path

from tests.faultlab.laboratory import PROCESSES
from tests.faultlab.legend import LEGEND
from tests.faultlab.matrix.cases import Case
from tests.faultlab.matrix.faults import FAULTS, Fault
from tests.faultlab.matrix.records import Cell, MatrixRun
from tests.faultlab.matrix.rules import CLIENTS, clients_at
from tests.faultlab.matrix.runner import CELLS_TOGETHER
from tests.faultlab.matrix.seams import KINDS, SEAMS, Seam
from tests.support import page
from tests.support.control import COMPARED, LEDGER_ONLY, WHERE_IT_ENDS
from tests.support.page import counted
from tests.support.truth import OPERATIONS
from todo_stack.twins import Twin

from .findings import findings, lateness


def render(run: MatrixRun) -> str:
    """Return the page."""
    cells = {cell.id: cell for cell in run.cells}

    def cells_at(seam: Seam, fault: Fault) -> list[Cell | None]:
        return [cells.get(Case(seam, fault, client).id) for client in clients_at(seam, fault)]

    writes = counted(len(cells), "write was", "writes were")
    return page.render(
        Path(__file__).with_name("compare.html.j2"),
        title="Two todo applications, broken at every seam",
        answer=[
            f"{writes} stopped, each at one seam, and hit by one fault there.",
            "Then everything was healed, and the rows were counted.",
        ],
        facts=_facts(run),
        style="compare.css",
        run=run,
        twins=findings(run),
        late=lateness(run),
        operations=[operation for operation in OPERATIONS if operation in {cell.operation for cell in run.cells}],
        together=CELLS_TOGETHER,
        seam_kinds=[kind for kind in KINDS if kind.explains],
        cells_at=cells_at,
        by_link=partial(groupby, key=attrgetter("link")),
        left_out=_left_out(),
        seams={twin: seams for twin, seams in SEAMS.items() if twin.key in {cell.twin for cell in run.cells}},
        faults=FAULTS,
        legend=LEGEND,
        clients=CLIENTS,
        counted=counted,
        control=WHERE_IT_ENDS if LEDGER_ONLY.key in {cell.twin for cell in run.cells} else "",
        data=_packed(run),
    )


def _facts(run: MatrixRun) -> dict[str, str]:
    """Return when it was run, and on what."""
    machine = run.machine
    return {
        "started": f"{run.started:%Y-%m-%d %H:%M %Z}, took {timedelta(seconds=round(run.seconds))}",
        "seed": str(run.seed),
        "machine": f"{machine.system}, {counted(machine.cores, 'core')}, {machine.memory_gib:g} GiB",
        **run.versions,
    }


def lanes(twin: Twin, operation: str) -> list[str]:
    """Return who takes part in an operation, in the order in which it reaches them."""
    taking_part = {end for seam in SEAMS[twin][operation] for end in seam.ends}
    return [end for end in ("client", *PROCESSES[twin]) if end in taking_part]


def _left_out() -> dict[str, list[str]]:
    """Return why combinations are left out, and per reason which: the twin, the fault and its seams."""
    found: dict[str, list[str]] = defaultdict(list)
    for twin, operations in SEAMS.items():
        for (operation, seams), fault in product(operations.items(), FAULTS):
            for because, group in groupby(sorted(seams, key=fault.why_left_out), key=fault.why_left_out):
                if because:
                    found[because].append(
                        f"{twin.title}, {operation}, {fault.name}: {', '.join(seam.name for seam in group)}"
                    )
    return found


def _packed(run: MatrixRun) -> str:
    """Return all that opening a cell needs, in few bytes of which none can be taken for markup."""
    data = {
        "cells": {
            cell.anchor: {
                **cell.model_dump(mode="json", exclude_defaults=True),
                "command": cell.command,
                "odd": "" if cell.as_expected else cell.comparison,
            }
            for cell in run.cells
        },
        "lanes": {f"{twin}/{operation}": lanes(twin, operation) for twin in COMPARED for operation in SEAMS[twin]},
        "titles": {twin.key: twin.title for twin in COMPARED},
        "verdicts": {verdict.value: (entry.symbol, entry.css) for verdict, entry in LEGEND.items()},
    }
    return base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()
