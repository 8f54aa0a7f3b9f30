"""When a server counts as listening again."""

import socket

import pytest

from tests.bench.outage import accepts


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_listens_from_when_connections_are_accepted(port: int) -> None:
    """A bound port does not listen yet; a listening one does, before its owner has taken any connection."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        assert not accepts(port)
        server.listen()
        assert accepts(port)
    assert not accepts(port)


def test_nobody_listens_to_itself(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that the system has given the very port it asks for is connected to itself, and to no server."""

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        client = socket.socket()
        client.bind(address)
        client.settimeout(timeout)
        client.connect(address)
        return client

    monkeypatch.setattr(socket, "create_connection", connect)
    assert not accepts(port)
