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
        self._first_p50_ms = statistics.median(_milliseconds(lambda: lab.twin.add("warm-up")) for _ in range(WARM_UP))

    def shown(self, operations: Sequence[SubmittedOperation]) -> dict[str, Any]:
        """Return it for the page: the median in ms, of the last minute if `requests`, memory in MB, and processes.

        The operations are those that nothing has disturbed: what a fault costs is not the price.
        """
        now = time.monotonic()
        times = [
            (one.answers[0].at - one.invoked_at) * 1000
            for one in operations
            if one.answers and one.answers[0].outcome is Outcome.OK and now - one.invoked_at < MINUTE
        ]
        if now - self._measured_at > MEMORY_SECONDS:
            # The outside world is not what the twin costs.
            servers = {name: self._lab.server(name).pid for name in self._lab.processes if name != OUTSIDE}
            families = {name: tree.family(pid) for name, pid in servers.items() if pid}
            self._memory_mb = sum(map(_memory_mb, families.values()))
            # PostgreSQL has one more for each connection, which come and go.
            self._number = sum(1 if name == "database" else len(family) for name, family in families.items())
            self._measured_at = now
        return {
            "p50_ms": round(statistics.median(times) if times else self._first_p50_ms, 1),
            "requests": len(times),
            "memory_mb": round(self._memory_mb),
            "processes": self._number,
        }


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return (time.monotonic() - began) * 1000


def _memory_mb(family: Sequence[psutil.Process]) -> float:
    """Return the private memory of these processes."""
    sizes = 0
    for member in family:
        with contextlib.suppress(psutil.Error):
            sizes += member.memory_full_info().uss
    return sizes / 1e6
