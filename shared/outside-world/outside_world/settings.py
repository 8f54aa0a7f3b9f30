"""Settings, read from the environment once at start. A setting's name is its field's name in upper case."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings

THREADS = 64
"""So many requests are answered at the same time. One that is told to be slow holds a thread."""


class Settings(BaseSettings):
    """What the server reads."""

    outside_world_data: Path
    """The file that keeps everything. Its folder must exist."""

    host: str = "127.0.0.1"
    """Address to listen on. Only containers need another one."""

    port: int = Field(default=5080, ge=1, le=65535)

    log_level: Literal["debug", "info", "warning", "error"] = "info"


def load() -> Settings:
    """Read the settings; a wrong one ends the program with a line that names it."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        raise SystemExit("Wrong settings. " + "; ".join(lines)) from None
