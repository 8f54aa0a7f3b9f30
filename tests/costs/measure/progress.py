"""How far a measurement is, for whoever watches it."""

from typing import Protocol


class Progress(Protocol):
    """Is told by a measurement what it has done."""

    def expect(self, total: int) -> None:
        """Say how many steps there will be."""

    def step(self, what: str) -> None:
        """Say that one is done, in a word or two."""
