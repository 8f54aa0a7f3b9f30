"""Secrets that are made once and kept in the data folder, readable by their owner alone."""

import secrets
from pathlib import Path

from todo_stack.files import write_whole


def secret_key(file: Path) -> str:
    """Return the key that signs sessions and CSRF tokens: kept, so that open pages survive a restart."""
    if not file.exists():
        write_whole(file, secrets.token_hex(32).encode())
    return file.read_text()
