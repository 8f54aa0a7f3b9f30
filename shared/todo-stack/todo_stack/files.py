"""Files that are there whole or not at all, whenever the power fails."""

from pathlib import Path

from todo_stack.errors import StackError


def write_whole(file: Path, content: bytes) -> None:
    """Write the file, readable by its owner alone, or leave it as it was."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_bytes(content)
    new.replace(file)


def read(file: Path) -> str:
    """Return what is in a text file of ours; raises OSError, or StackError if it is no text."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise StackError(f"{file} is not the text file that it was") from None
