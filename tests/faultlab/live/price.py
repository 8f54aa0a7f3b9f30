"""What a twin of the live lab costs: how long its customer waits, and what its servers take of this machine."""

import contextlib
import statistics
import time
from collections.abc import Sequence
from typing import Any

import psutil

from tests.faultlab.laboratory import OUTSIDE, Laboratory
from tests.faultlab.submitted import SubmittedOperation
from tests.support.history import Outcome
from todo_stack import tree

MINUTE = 60.0
MEMORY_SECONDS = 2.0


class Price:
    """Measures one twin."""

    def __init__(self, lab: Laboratory) -> None:
        """Measure in a laboratory that runs."""
        self._lab = lab
        self._measured_at, self._memory_mb, self._number = 0.0, 0.0, 0

    def shown(self, operations: Sequence[SubmittedOperation]) -> dict[str, Any]:
        """Return it for the page: the median of the last minute in ms, memory in MB, and the number of processes."""
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
        return {
            "p50_ms": round(statistics.median(times), 1) if times else None,
            "requests": len(times),
            "memory_mb": round(self._memory_mb),
            "processes": self._number,
        }


def _memory(pids: Sequence[int]) -> tuple[float, int]:
    """Return the private memory of these processes and their descendants in MB, and how many they are."""
    members = [member for pid in pids for member in tree.family(pid)]
    sizes = []
    for member in members:
        with contextlib.suppress(psutil.Error):
            sizes.append(member.memory_full_info().uss)
    return sum(sizes) / 1e6, len(sizes)
