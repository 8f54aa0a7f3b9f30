"""A function that the benchmark still takes from here; to be removed with its move to tests/costs."""

import psutil


def private_memory(process: psutil.Process) -> int:
    """Return the bytes that a process has for itself, where the system tells; else all that it has in memory."""
    try:
        return int(process.memory_full_info().uss)
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
