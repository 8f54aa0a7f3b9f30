"""Clients for the tests of the wire: of a table of notes in PostgreSQL, and bare sockets."""

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import cursor

from tests.faultlab.wire.breakpoints import Held
from tests.faultlab.wire.messages import Match, WireProtocol
from tests.faultlab.wire.proxy import Proxy
from tests.support.database import execute
from todo_stack.postgres import Postgres

DEADLINE = 10.0
MOMENT = 0.15  # seconds in which anything that can happen on this machine's loopback does

LOOPBACK = "127.0.0.1"
INSERT = "INSERT INTO note (body) VALUES (%s)"


@dataclass
class Notes:
    """A table of notes, clients that write to it through a link, and a way around the link."""

    link: Proxy
    postgres: Postgres
    pool: ThreadPoolExecutor

    @property
    def url(self) -> str:
        """The address of the database past the link."""
        return self.postgres.url("postgres")

    def write(self, body: str) -> None:
        """Add a note in a transaction of its own."""
        with self.transaction() as cursor:
            cursor.execute(INSERT, (body,))

    def start_writing(self, body: str) -> "Future[None]":
        """Do the same in a thread."""
        return self.pool.submit(self.write, body)

    def hold_write(self, match: Match, body: str = "milk") -> "tuple[Held, Future[None]]":
        """Start writing, and hold the message that matches."""
        point = self.link.hold(match)
        client = self.start_writing(body)
        return point.wait(), client

    @contextlib.contextmanager
    def transaction(self) -> Iterator[cursor]:
        """Connect through the link for one transaction, which is committed at the end."""
        connected = contextlib.closing(psycopg2.connect(self.url, port=self.link.port))
        with connected as connection, connection, connection.cursor() as cursor:
            yield cursor

    def bodies(self) -> list[str]:
        """Return the notes that another connection sees."""
        return [body for (body,) in execute(self.url, "SELECT body FROM note ORDER BY body")]


@contextlib.contextmanager
def joined(protocol: type[WireProtocol]) -> Iterator[tuple[Proxy, socket.socket, socket.socket]]:
    """Return a link with one connection, and the client's and the server's socket of it."""
    with (
        socket.create_server((LOOPBACK, 0)) as listener,
        Proxy("a link", protocol, upstream=listener.getsockname()) as link,
        socket.create_connection((LOOPBACK, link.port), timeout=DEADLINE) as client,
    ):
        server, _ = listener.accept()
        server.settimeout(DEADLINE)
        with server:
            yield link, client, server


def pass_through(sender: socket.socket, receiver: socket.socket, data: bytes) -> None:
    """Send these bytes on one side; the other must receive the same."""
    sender.sendall(data)
    received = b""
    while len(received) < len(data) and (more := receiver.recv(len(data) - len(received))):
        received += more
    assert received == data


def still_waits(future: "Future[Any]") -> bool:
    """Whether it is still not done after a moment."""
    return bool(wait([future], MOMENT).not_done)
