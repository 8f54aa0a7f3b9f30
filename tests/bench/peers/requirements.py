"""What a peer needs that the rest of the repository does not."""

import importlib.util
import shutil
from collections.abc import Callable

Need = Callable[[], str]
"""Returns what is missing and how to get it, in a line; an empty text if nothing is."""


def needs_packages(*names: str) -> Need:
    """Return a look for Python packages."""

    def look() -> str:
        missing = [name for name in names if importlib.util.find_spec(name) is None]
        return f"{', '.join(missing)} not installed: make bench-peers installs it" if missing else ""

    return look


def needs_program(name: str, how: str) -> Need:
    """Return a look for a program; `how` says where it is to be had."""
    return lambda: "" if shutil.which(name) else f"{name} not found: {how}"
