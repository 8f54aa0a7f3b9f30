"""What tests of the features use."""

import pytest

from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin
from todo_stack.stack import Stack


@pytest.fixture
def world(twin: RunningTwin) -> OutsideWorldClient:
    """The outside world, as far as it is about the twin's todos."""
    return OutsideWorldClient(twin.stack.outside_world_url(twin.which), twin.which.key)


@pytest.fixture(autouse=True)
def _native(native_stack: Stack) -> None:
    """Run these tests with the processes of this machine only: they kill and freeze one at a time, by the second."""
