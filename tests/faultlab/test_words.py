"""Verdicts are counted so that no share says more than the count."""

import pytest

from tests.faultlab.words import Count


@pytest.mark.parametrize(
    ("number", "total", "percent"),
    [(0, 5, "0 %"), (1, 3, "33 %"), (5, 5, "100 %"), (1, 1000, "1 %"), (999, 1000, "99 %"), (0, 0, "0 %")],
)
def test_percent(number: int, total: int, percent: str) -> None:
    """Only none is 0 % and only all is 100 %."""
    assert Count(number, total).percent == percent
