"""Secrets that are made once and kept in the data folder, readable by their owner alone."""

import secrets
from collections.abc import Callable
from pathlib import Path

from todo_stack.files import write_whole


def kept(file: Path, make: Callable[[], bytes]) -> bytes:
    """Return what the file holds; if there is none, make it and keep it."""
    if not file.exists():
        write_whole(file, make())
    return file.read_bytes()


def secret_key(file: Path) -> str:
    """Return the key that signs sessions and CSRF tokens: kept, so that open pages survive a restart."""
    return kept(file, lambda: secrets.token_hex(32).encode()).decode()
