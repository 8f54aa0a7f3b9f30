"""Where the repository is, and the data of its stack."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
DATA = REPOSITORY / ".data"
