"""Measures running applications; what was found is in the records.

A measurement ends with a MeasurementError, or with a StackError when a server does not start.
"""

from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeAlias

Findings: TypeAlias = Generator[Mapping[str, Any], None, None]
"""Fields of the record of a run, as soon as a part of it has found them."""

Advance: TypeAlias = Callable[..., None]
"""Is told what has been done, and `of` how many steps this is one, if that is known."""


class MeasurementError(RuntimeError):
    """What was measured is not what it should be: an answer is wrong, something is lost, or not in time."""


class LoadError(MeasurementError):
    """The load could not be put on, or some of it was not answered as expected."""
