"""Everything in this folder needs a container engine."""

import pytest

from tests.containers import engine


@pytest.fixture(autouse=True, scope="session")
def _engine() -> None:
    """Skip all tests of this folder where there is no engine."""
    engine.needed()
