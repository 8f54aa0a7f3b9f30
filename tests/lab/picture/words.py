"""A name that the benchmark still takes from here; to be removed with its move to tests.lab.words."""

from tests.lab.words import counted as times

__all__ = ["times"]
