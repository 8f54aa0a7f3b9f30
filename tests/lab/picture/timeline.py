"""The recorded events as compact data, from which the page draws the time line of the cell that is opened."""

import json
from collections.abc import Iterable
from typing import Any

from tests.lab.history import Verdict

from .results import TWINS, Cell, Event, Results, Twin
from .words import NAMES, WORDS

_LANES = ("client", "web", "Restate", "service", "database")
_ENDS = {"ingress": "Restate"}  # a link may name the entrance instead of the process
_DIRECTIONS = (None, "to server", "to client")
_DIGITS = 2  # of a time in ms


class _Words:
    """Each text once; elsewhere its number stands for it."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def as_json(results: Results) -> str:
    """Return everything that opening a cell needs as JSON that is safe within a script element."""
    word = _Words()
    data: dict[str, Any] = {
        "cells": {cell.anchor: _cell(cell, word) for cell in results.cells},
        "lanes": {twin: lanes(results, twin) for twin in TWINS},
        "ends": {link: ends(link) for link in sorted(_links(results.cells))},
        "names": NAMES,
        "verdicts": {verdict.value: [WORDS[verdict].symbol, WORDS[verdict].css] for verdict in Verdict},
    }
    data["words"] = list(word.numbers)
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def lanes(results: Results, twin: Twin) -> list[str]:
    """Return the processes of a twin from left to right, as its links name them."""
    links = {seam.link for seam in results.seams if seam.twin == twin} | _links(results.of(twin))
    found = {end for link in links for end in ends(link)} | {"client", "database"}
    return [lane for lane in _LANES if lane in found] + sorted(found - set(_LANES))


def ends(link: str) -> list[str]:
    """Return the client's and the server's lane of a link called `one to other`, or nothing for another name."""
    client, to, server = link.partition(" to ")
    return [_ENDS.get(end, end) for end in (client, server)] if to else []


def _links(cells: Iterable[Cell]) -> set[str]:
    return {event.link for cell in cells for event in cell.events if event.link}


def _cell(cell: Cell, word: _Words) -> list[Any]:
    name = (cell.twin, cell.operation, cell.seam, cell.fault, cell.client, cell.verdict.value, cell.expected.value)
    return [
        [word(part) for part in (*name, cell.because)],
        [[round(told.at, _DIGITS), word(told.outcome.value), word(told.detail)] for told in cell.told],
        [cell.effect, cell.rows_when_held],
        [_event(event, word) for event in cell.events],
    ]


def _event(event: Event, word: _Words) -> list[float | int]:
    direction = _DIRECTIONS.index(event.direction)
    return [round(event.at, _DIGITS), word(event.link), direction, word(event.kind), word(event.label)]
