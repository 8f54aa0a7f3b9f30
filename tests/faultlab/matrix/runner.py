"""Runs many cells: two twins at the same time, in each one fault after the other, with several seams together."""

import random
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.matrix.batch import TooSlowError, run_batch
from tests.faultlab.matrix.cases import Case
from tests.faultlab.matrix.injector import FaultInjector
from tests.faultlab.matrix.recording import changed
from tests.faultlab.matrix.records import Cell
from tests.support.control import COMPARED
from tests.support.logs import log_to
from tests.support.truth import FEATURES
from todo_stack.twins import TWINS, Twin

CELLS_TOGETHER = 40
"""Held at the same time, at most: as many as the pools have room for. On a machine that is too slow for that, fewer."""
MOST_TRIES = 6
"""Of cells for which the machine was too slow, each time half as many together."""


def batches(wanted: Sequence[Case], seed: int) -> list[list[Case]]:
    """Return the cells of one twin in batches of one fault each, in an order that the seed decides."""
    shuffled = random.Random(seed)
    together = []

    def kind(case: Case) -> tuple[str, bool]:
        return case.fault.name, case.seam.delayed

    for (_, delayed), group in groupby(sorted(wanted, key=kind), key=kind):
        alike = list(group)
        shuffled.shuffle(alike)
        # The plain twin's job mails one reminder after the other: one that is held holds up all others.
        number = 1 if delayed and not alike[0].seam.twin.durable else CELLS_TOGETHER
        together += [alike[i : i + number] for i in range(0, len(alike), number)]
    shuffled.shuffle(together)
    return together


@dataclass
class MatrixRunner:
    """Runs cells; `done` and `failed` are called after each batch, from threads."""

    data: Path
    seed: int
    done: Callable[[list[Cell]], None]
    failed: Callable[[list[Case], Exception], None]
    injector: type[FaultInjector] = FaultInjector
    stopped: threading.Event = field(default_factory=threading.Event)
    """Once it is set, each twin ends after its running batch."""

    def run(self, wanted: Sequence[Case]) -> None:
        """Run these cells and return when all have been tried, or when it was stopped."""
        by_twin = {twin: [case for case in wanted if case.seam.twin == twin] for twin in COMPARED}
        # The control begins when a twin is through: the machine is no slower for it.
        with ThreadPoolExecutor(len(TWINS)) as pool:
            running = [pool.submit(self._run_twin, twin, cases) for twin, cases in by_twin.items() if cases]
            try:
                for future in running:
                    future.result()
            finally:
                self.stopped.set()

    def _run_twin(self, twin: Twin, wanted: Sequence[Case]) -> None:
        folder = self.data / twin.key
        # Another run's data would be read again with every cell.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        kinds = list(dict.fromkeys(case.seam.operation for case in wanted))
        outside = any(kind in FEATURES for kind in kinds)
        with (
            log_to(folder / "servers.log") as log,
            Laboratory(twin, folder / "data", log, with_outside_world=outside) as lab,
        ):
            # The first call makes connections and prepares statements, which would be in every time line.
            lab.twin.add("warm-up")
            if differences := changed(lab, kinds):
                self.failed(list(wanted), AssertionError(f"seams.json is of other code, record anew: {differences}"))
                return
            together = CELLS_TOGETHER
            for batch in batches(wanted, self.seed):
                left, tries = batch, 1
                while left and not self.stopped.is_set():
                    tried = left[:together]
                    try:
                        self.done(run_batch(lab, tried, self.injector))
                    except (AssertionError, TimeoutError) as error:
                        if isinstance(error, TooSlowError) and tries < MOST_TRIES:
                            together, tries = max(len(tried) // 2, 1), tries + 1
                            continue
                        self.failed(tried, error)
                    left, tries = left[len(tried) :], 1
                    together = min(together + 2, CELLS_TOGETHER)
