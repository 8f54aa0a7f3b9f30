"""Code is counted by what it does; the peers' packages are not needed for that."""

import pytest

from tests.costs.lines_of_code import bare
from tests.costs.peers.contestant import Peer
from tests.costs.peers.contestants import PEERS

SOURCE = '''"""A module."""

LIMIT = 3  # a comment beside code

# a comment


class Thing:
    """A class."""

    def keep(
        self,
    ) -> str:
        """Return a text."""
        return "text"

    @property
    def drop(self) -> int:
        return LIMIT
'''


def lines(*without: str) -> int:
    """Count the lines that are left."""
    return sum(bool(line) for line in bare(SOURCE, without).splitlines())


def test_lines_that_do_something_are_counted() -> None:
    """Blank lines, comments and docstrings are not counted, nor what is left out with its decorators."""
    assert (lines(), lines("Thing.drop"), lines("Thing", "LIMIT")) == (7, 4, 0)
    with pytest.raises(LookupError, match=r"Thing\.gone"):
        lines("Thing.gone")


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_contestant_has_code(peer: Peer) -> None:
    """Each contestant's source is there, and so is what of it is not counted."""
    assert sum(peer.lines().values()) > 10
