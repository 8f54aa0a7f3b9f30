"""Files that are there whole or not at all, whenever the power fails."""

from pathlib import Path


def write_whole(file: Path, content: bytes) -> None:
    """Write the file, readable by its owner alone, or leave it as it was."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_bytes(content)
    new.replace(file)
