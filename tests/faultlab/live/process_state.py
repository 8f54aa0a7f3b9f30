"""Whether a process runs, as people are told."""

import psutil

RUNS, FROZEN, DOWN = "runs", "is frozen", "is down"


def state_of(pid: int | None) -> str:
    """Say whether a process runs, is frozen, or is down."""
    if pid is None:
        return DOWN
    try:
        return FROZEN if psutil.Process(pid).status() == psutil.STATUS_STOPPED else RUNS
    except psutil.NoSuchProcess:
        return DOWN
