"""What tests of the features use."""

import pytest

from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin


@pytest.fixture
def world(twin: RunningTwin) -> OutsideWorldClient:
    """The outside world, as far as it is about the twin's todos."""
    return OutsideWorldClient(twin.stack.outside_world_url(twin.which), twin.which.key)
