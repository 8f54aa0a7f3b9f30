"""What can be done to a link as a whole, and what both sides see of it."""

import socket
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg2
import pytest

from tests.faultlab.wire.clients import DEADLINE, INSERT, LOOPBACK, Notes, joined, pass_through, still_waits
from tests.faultlab.wire.messages import Direction, Opaque
from tests.faultlab.wire.proxy import Proxy
from todo_stack.ports import Ports


def test_refuse_and_heal(notes: Notes) -> None:
    """Refused is refused as by a machine without the server; open connections go on; healed, new ones are accepted."""
    with notes.transaction() as cursor:
        notes.link.refuse()
        with pytest.raises(ConnectionRefusedError), socket.create_connection((LOOPBACK, notes.link.port)):
            pass
        cursor.execute(INSERT, ("milk",))
    notes.link.heal()
    notes.write("eggs")
    assert notes.bodies() == ["eggs", "milk"]


def test_blackhole_and_heal(notes: Notes) -> None:
    """In a black hole nothing arrives, not even an end; what was sent arrives when it is gone."""
    with notes.transaction() as cursor:
        notes.link.blackhole()
        client: Future[object] = notes.pool.submit(cursor.execute, INSERT, ("milk",))
        newcomer = notes.start_writing("eggs")
        assert still_waits(client)
        assert not newcomer.done()
        assert notes.bodies() == []
        notes.link.heal()
        client.result(DEADLINE)
        newcomer.result(DEADLINE)
    assert notes.bodies() == ["eggs", "milk"]


@pytest.mark.parametrize("lost", Direction)
def test_one_way_lost(lost: Direction) -> None:
    """What goes one way does not arrive and the other way does; healed, it arrives late."""
    with joined(Opaque) as (link, client, server), ThreadPoolExecutor(1) as pool:
        sender, receiver = (client, server) if lost is Direction.TO_SERVER else (server, client)
        link.blackhole(lost)
        sender.sendall(b"late")
        pass_through(receiver, sender, b"hello")
        arrives = pool.submit(receiver.recv, 9)
        assert still_waits(arrives)
        link.heal()
        assert arrives.result(DEADLINE) == b"late"


@pytest.mark.parametrize("lost", Direction)
def test_one_way_lost_for_good(lost: Direction) -> None:
    """What had not arrived when the connection was reset never arrives."""
    with joined(Opaque) as (link, client, server):
        sender, receiver = (client, server) if lost is Direction.TO_SERVER else (server, client)
        link.blackhole(lost)
        sender.sendall(b"lost")
        link.reset_connections()
        link.heal()
        with pytest.raises(ConnectionResetError):
            receiver.recv(9)


def test_left_unanswered(notes: Notes) -> None:
    """Accepted, a newcomer waits, also when all is well again; open connections go on, and later ones are served."""
    with notes.transaction() as cursor:
        notes.link.leave_unanswered()
        newcomer = notes.start_writing("never")
        cursor.execute(INSERT, ("milk",))
        assert still_waits(newcomer)
    notes.link.heal()
    notes.write("eggs")
    assert still_waits(newcomer)
    notes.link.reset_connections()
    with pytest.raises(psycopg2.OperationalError):
        newcomer.result(DEADLINE)
    assert notes.bodies() == ["eggs", "milk"]


def test_reset_is_a_reset() -> None:
    """Both sides of a connection that is reset see RST, and not an end in order."""
    with joined(Opaque) as (link, client, server):
        pass_through(client, server, b"hello")
        link.reset_connections()
        for side in (client, server):
            with pytest.raises(ConnectionResetError):
                side.recv(1)


def test_dead_upstream_resets_the_client() -> None:
    """Where no server listens, the client's connection is reset at once."""
    with (
        Proxy("a link", Opaque, upstream=(LOOPBACK, Ports.free().postgres)) as link,
        pytest.raises(ConnectionResetError),
        socket.create_connection((LOOPBACK, link.port), timeout=DEADLINE) as client,
    ):
        client.recv(1)


def test_ends_are_passed_on() -> None:
    """A side that has sent everything can still hear the other."""
    with joined(Opaque) as (_, client, server):
        client.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""
        pass_through(server, client, b"late")
        server.close()
        assert client.recv(1) == b""
