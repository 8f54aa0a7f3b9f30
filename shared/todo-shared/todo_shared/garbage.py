"""How often Python looks for garbage cycles."""

import gc

ALLOCATIONS = 20_000
"""After how many new objects it does; after 700 or 2,000 by default."""


def collect_seldom() -> None:
    """Look for cycles seldom, and not in what was loaded until now: it takes several percent of the processor."""
    gc.freeze()
    gc.set_threshold(ALLOCATIONS)
