"""The cells of a run that are done, kept so that an interrupted run can go on."""

import json
from pathlib import Path

from tests.faultlab.matrix.records import Cell


class Journal:
    """What a run is of, and its cells. An interrupted run goes on only with the code that it began with."""

    def __init__(self, path: Path, about: dict[str, object]) -> None:
        self._path = path
        self.cells: dict[str, Cell] = {}
        header = about | {"fields": sorted(Cell.model_fields)}
        lines = path.read_text().splitlines() if path.exists() else []
        self.resumed = bool(lines) and json.loads(lines[0]) == header
        if not self.resumed:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(header) + "\n")
            return
        for cell in map(Cell.model_validate_json, lines[1:]):
            self.cells[cell.id] = cell

    def add(self, cells: list[Cell]) -> None:
        """Write these cells down."""
        with self._path.open("a") as file:
            for cell in cells:
                self.cells[cell.id] = cell
                file.write(cell.model_dump_json() + "\n")

    def finish(self) -> None:
        """Forget the run: the next begins anew."""
        self._path.unlink()
