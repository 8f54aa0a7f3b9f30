"""The stretches of an add follow one another without a gap."""

import pytest

from tests.costs.measure import MeasurementError
from tests.costs.measure.waterfall import Stretch, between, durations

WAY = (
    Stretch("there", "client", "begins"),
    Stretch("work", "web", "sends"),
    Stretch("back", "client", "client answered"),
)


def test_stretches_add_up() -> None:
    """What the stretches take is what the client waited, whatever else was noted in between."""
    noted = [(1_000_000, "begins"), (1_500_000, "noise"), (4_000_000, "sends"), (9_000_000, "begins")]
    mine = between(noted, 500_000, 5_000_000)
    assert mine[0] == (500_000, "client sends")
    assert durations(WAY, mine) == [0.5, 3.0, 1.0]


def test_other_way_is_an_error() -> None:
    """A request that does not go the known way is not made to fit."""
    with pytest.raises(MeasurementError, match="sends"):
        durations(WAY, between([(1, "begins")], 0, 2))
