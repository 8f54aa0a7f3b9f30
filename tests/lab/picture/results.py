"""Names that the benchmark still takes from here; to be removed with its move to tests.run_environment."""

from typing import Literal

from tests.run_environment import Machine as Machine

Twin = Literal["basic", "restate"]
TWINS: tuple[Twin, ...] = ("basic", "restate")
