"""Whether a process runs, as people are told."""

import psutil

RUNS, FROZEN, DOWN = "runs", "is frozen", "is down"


def state_of(pid: int | None) -> str:
    """Say whether a process runs, is frozen, or is down."""
    if pid is None:
        return DOWN
    try:
        status = psutil.Process(pid).status()
        return {psutil.STATUS_STOPPED: FROZEN, psutil.STATUS_ZOMBIE: DOWN}.get(status, RUNS)
    except psutil.NoSuchProcess:
        return DOWN
