"""Source is counted and hashed by what it says; the peers' packages are not needed for that."""

import pytest

from tests.costs import source
from tests.costs.peers.__main__ import PEERS
from tests.costs.peers.contestant import Peer

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
    return sum(bool(line) for line in source.bare(SOURCE, without).splitlines())


def test_lines_that_do_something_are_counted() -> None:
    """Blank lines, comments and docstrings are not counted, nor what is left out with its decorators."""
    assert (lines(), lines("Thing.drop"), lines("Thing", "LIMIT")) == (7, 4, 0)
    with pytest.raises(LookupError, match=r"Thing\.gone"):
        lines("Thing.gone")


def test_only_code_makes_another_version() -> None:
    """A comment, a docstring or a line break does not; a statement does."""
    edited = (
        SOURCE.replace("# a comment\n", "").replace("Return a text", "Return it").replace("\n        self,\n", "self")
    )
    assert source.bare(edited) == source.bare(SOURCE)
    assert source.bare(SOURCE.replace("3", "4")) != source.bare(SOURCE)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.about.name)
def test_every_contestant_has_code(peer: Peer) -> None:
    """Each contestant's source is there, and so is what of it is not counted."""
    assert sum(part.lines for part in peer.code) > 10
