"""What a twin of the live lab costs: how long its customer waits, and what its servers take of this machine."""

import contextlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from tests.faultlab.laboratory import OUTSIDE, Laboratory
from tests.faultlab.submitted import SubmittedOperation
from tests.support.history import Outcome
from todo_stack import tree

MINUTE = 60.0
MEMORY_SECONDS = 2.0
WARM_UP = 30


class Price:
    """Measures one twin."""

    def __init__(self, lab: Laboratory) -> None:
        """Measure in a laboratory that runs."""
        self._lab = lab
        self._measured_at, self._memory_mb, self._number = 0.0, 0.0, 0
        # Until there is a customer: what its first adds would take.
        self._p50_ms = statistics.median(_milliseconds(lambda: lab.twin.add("warm-up")) for _ in range(WARM_UP))

    def shown(self, operations: Sequence[SubmittedOperation]) -> dict[str, Any]:
        """Return it for the page: the median in ms, of the last minute if `requests`, memory in MB, and processes."""
        now = time.monotonic()
        times = [
            (one.answers[0].at - one.invoked_at) * 1000
            for one in operations
            if one.answers and one.answers[0].outcome is Outcome.OK and now - one.invoked_at < MINUTE
        ]
        if now - self._measured_at > MEMORY_SECONDS:
            # The outside world is not what the twin costs.
            servers = [self._lab.server(name).pid for name in self._lab.processes if name != OUTSIDE]
            self._memory_mb, self._number = _memory([pid for pid in servers if pid])
            self._measured_at = now
        if times:
            self._p50_ms = statistics.median(times)
        return {
            "p50_ms": round(self._p50_ms, 1),
            "requests": len(times),
            "memory_mb": round(self._memory_mb),
            "processes": self._number,
        }


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return (time.monotonic() - began) * 1000


def _memory(pids: Sequence[int]) -> tuple[float, int]:
    """Return the private memory of these processes and their descendants in MB, and how many they are."""
    members = [member for pid in pids for member in tree.family(pid)]
    sizes = []
    for member in members:
        with contextlib.suppress(psutil.Error):
            sizes.append(member.memory_full_info().uss)
    return sum(sizes) / 1e6, len(sizes)
