"""Measures running applications; what was found is in the records.

A measurement ends with a MeasurementError, or with a StackError when a server does not start.
"""

from collections.abc import Generator, Mapping
from typing import Any, TypeAlias

Fields: TypeAlias = Mapping[str, Any]
"""Of the record of a run."""

Findings: TypeAlias = Generator[Fields, None, None]
"""What a part of the run has found, as soon as it is known."""


class MeasurementError(RuntimeError):
    """What was measured is not what it should be: an answer is wrong, something is lost, or not in time."""


class LoadError(MeasurementError):
    """The load could not be put on, or some of it was not answered as expected."""
