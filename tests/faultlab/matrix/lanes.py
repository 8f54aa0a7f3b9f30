"""Runs many cells: each twin in a lane of its own, a fault at a time, several seams together."""

import random
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.matrix.batch import Batch, Case, TooSlowError, cases
from tests.faultlab.matrix.faults import FAULTS, Breaker
from tests.faultlab.matrix.records import Cell
from tests.faultlab.matrix.seams import SEAMS
from tests.support.logs import log_to
from todo_stack.twins import twin_named

CELLS_TOGETHER = 24
"""Held at the same time: as many as the pools have room for."""


def every_case() -> list[Case]:
    """Return all cells of the matrix that make sense."""
    return [case for twin, seams in SEAMS.items() for case in cases(seams, FAULTS[twin])]


def batches(wanted: Sequence[Case], seed: int) -> list[list[Case]]:
    """Return the cells of one twin in batches of one fault each, in an order that the seed decides."""
    shuffled = random.Random(seed)
    together = []
    for _, group in groupby(sorted(wanted, key=lambda case: case.fault.name), key=lambda case: case.fault):
        of_one_fault = list(group)
        shuffled.shuffle(of_one_fault)
        together += [of_one_fault[i : i + CELLS_TOGETHER] for i in range(0, len(of_one_fault), CELLS_TOGETHER)]
    shuffled.shuffle(together)
    return together


class Lanes:
    """Runs cells of both twins at the same time; `done` and `failed` are told of each batch, from threads."""

    def __init__(
        self,
        data: Path,
        seed: int,
        done: Callable[[list[Cell]], None],
        failed: Callable[[list[Case], Exception], None],
        breaker: type[Breaker] = Breaker,
    ) -> None:
        self._data = data
        self._seed = seed
        self._done = done
        self._failed = failed
        self._breaker = breaker
        self._stopped = threading.Event()

    def run(self, wanted: Sequence[Case]) -> None:
        """Run these cells and return when all have been tried, or when stop() was called."""
        lanes = {twin: [case for case in wanted if case.seam.twin == twin] for twin in SEAMS}
        with ThreadPoolExecutor(len(lanes)) as pool:
            running = [pool.submit(self._lane, twin, lane) for twin, lane in lanes.items() if lane]
            try:
                for lane in running:
                    lane.result()
            finally:
                self.stop()

    def stop(self) -> None:
        """Let each lane end after the batch that it is at."""
        self._stopped.set()

    def _lane(self, twin: str, wanted: Sequence[Case]) -> None:
        folder = self._data / twin
        # Another run's data would be read again with every cell.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with log_to(folder / "servers.log") as log, Laboratory(twin_named(twin), folder / "data", log) as lab:
            # The first call makes connections and prepares statements, which would be in every time line.
            lab.twin.add("warm-up")
            for batch in batches(wanted, self._seed):
                if self._stopped.is_set():
                    return
                self._run_batch(lab, batch)

    def _run_batch(self, lab: Laboratory, batch: list[Case]) -> None:
        try:
            self._done(Batch(lab, batch, self._breaker).run())
        except TooSlowError as error:
            if len(batch) == 1:
                self._failed(batch, error)
                return
            half = len(batch) // 2
            self._run_batch(lab, batch[:half])
            self._run_batch(lab, batch[half:])
        except (AssertionError, TimeoutError) as error:
            self._failed(batch, error)
