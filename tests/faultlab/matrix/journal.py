"""The cells of a run that are done, kept so that an interrupted run can go on."""

import json
import random
from pathlib import Path

from tests.faultlab.matrix.records import Cell


class Journal:
    """The cells of a run. An interrupted run goes on only with the selection, seed and code that it began with."""

    def __init__(self, path: Path, only: str, seed: int | None, write_path: str) -> None:
        """Go on with the run that was interrupted, or begin one; without a seed, with that of the interrupted one."""
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else ["{}"]
        interrupted = json.loads(lines[0])
        self.seed: int = interrupted.get("seed", random.randrange(2**32)) if seed is None else seed
        header = {"only": only, "seed": self.seed, "write_path": write_path, "fields": sorted(Cell.model_fields)}
        self.resumed = interrupted == header
        if not self.resumed:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(header) + "\n")
        kept = map(Cell.model_validate_json, lines[1:] if self.resumed else ())
        self.cells = {cell.id: cell for cell in kept}

    def add(self, cells: list[Cell]) -> None:
        """Write these cells down."""
        with self._path.open("a") as file:
            for cell in cells:
                self.cells[cell.id] = cell
                file.write(cell.model_dump_json() + "\n")

    def finish(self) -> None:
        """Forget the run: the next begins anew."""
        self._path.unlink()
