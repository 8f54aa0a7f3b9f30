"""A running outside world, without the twins."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support import logs
from tests.support.outside_world import OutsideWorld
from todo_stack.description import StackDescription
from todo_stack.ports import Ports
from todo_stack.process import Server


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its server, as the stack runs it."""
    folder = tmp_path_factory.mktemp("outside")
    with logs.log_to(folder / logs.FILE) as log:
        server = StackDescription(data=folder, ports=Ports.free(), log=log).outside_world()
        server.start()
        yield server
        server.stop()


@pytest.fixture
def world(server: Server) -> OutsideWorld:
    """Its client; a test that has ended the server gets it back."""
    if not server.running:
        server.start()
    return OutsideWorld(f"http://{server.env['HOST']}:{server.env['PORT']}")


@pytest.fixture
def mine() -> str:
    """A reference that only this test has."""
    return f"plain/{uuid4().hex}"
