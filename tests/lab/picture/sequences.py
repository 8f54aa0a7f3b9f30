"""The recorded events as compact data, from which the page draws the sequence diagram of the cell that is opened."""

import json
from typing import Any

from tests.lab.history import Verdict
from tests.lab.matrix.faults import PROCESSES
from tests.lab.matrix.records import Cell, CellEvent, MatrixRun
from tests.lab.words import TITLES, WORDS

_DIRECTIONS = (None, "to server", "to client")


class _Texts:
    """Each text once; elsewhere its number stands for it."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def as_json(run: MatrixRun) -> str:
    """Return everything that opening a cell needs as JSON that is safe within a script element."""
    texts = _Texts()
    data: dict[str, Any] = {
        "cells": {cell.anchor: _cell(cell, texts) for cell in run.cells},
        "lanes": {twin: ("client", *processes) for twin, processes in PROCESSES.items()},
        "titles": TITLES,
        "verdicts": {verdict.value: [WORDS[verdict].symbol, WORDS[verdict].css] for verdict in Verdict},
        "texts": list(texts.numbers),
    }
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _cell(cell: Cell, texts: _Texts) -> list[Any]:
    parts = (cell.twin, cell.operation, cell.seam, cell.fault, cell.client, cell.verdict.value, cell.expected.value)
    return [
        [texts.number(part) for part in (*parts, cell.because)],
        [[told.at, texts.number(told.outcome.value), texts.number(told.detail)] for told in cell.told],
        [cell.effect, cell.rows_when_held],
        [_event(event, texts) for event in cell.events],
    ]


def _event(event: CellEvent, texts: _Texts) -> list[float | int]:
    direction = _DIRECTIONS.index(event.direction)
    return [event.at, texts.number(event.link), direction, texts.number(event.kind), texts.number(event.label)]
