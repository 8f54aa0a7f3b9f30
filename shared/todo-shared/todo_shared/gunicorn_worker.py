"""gunicorn's threaded worker, but a thread takes a request only when all of it has arrived.

In gunicorn's own, as many half-sent requests as threads keep everybody else waiting. Here they are connections that one
loop watches, and that are closed after a while. It speaks no TLS: that is a proxy's work.
"""

import contextlib
import errno
import functools
import io
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from gunicorn.http.message import Message
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from todo_shared.edge import MAX_BODY_BYTES
from todo_shared.request_buffer import Arrived, RequestBuffer

TRANSFER_SECONDS = 10
"""How long a client may take to send a request once it has begun, and again to take the answer."""

LINGER_SECONDS = 2
"""How long a connection that we have closed takes what its client still sends, so that it can read the answer."""

_RECEIVE_BYTES = 64 * 1024


class Connection(TConn):
    """A client's connection, and what has arrived of its next request."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.buffer = RequestBuffer(MAX_BODY_BYTES)
        self.is_whole = True
        """Whether all of the request is here that a thread works on."""
        self.arrived = io.BytesIO()

    def make_ready(self, arrived: Arrived) -> None:
        """Let a thread work on what has arrived."""
        self.is_whole = arrived is Arrived.WHOLE
        self.arrived = io.BytesIO(self.buffer.take())
        self.init()
        self.parser.unreader.sock = self

    def recv(self, size: int) -> bytes:
        """Return the next piece of what has arrived, as a socket would; then nothing, as if the client were gone.

        So no thread ever waits for a client to send. In one piece, gunicorn would take far longer for many chunks.
        """
        return self.arrived.read(size)

    def read_ahead(self) -> bytes:
        """Return what is left, which belongs to the next request."""
        return bytes(self.parser.unreader.take_buffered()) + self.arrived.read()


class BufferingWorker(ThreadWorker):
    """gunicorn's worker. Idle connections are in its `keepalived_conns`, those that send in its `pending_conns`.

    The loop calls all methods but `handle_request`, which a thread calls.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.lingering: deque[Connection] = deque()

    def accept(self, listener: socket.socket) -> None:
        """Take a new connection, and wait for its first request as for any later one."""
        if self.nr_conns >= self.worker_connections - 1:
            self._make_room()
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._make_room()
            self.log.debug("No new connection: %s", error)  # It may be gone already, or another worker has it.
            return
        self.nr_conns += 1
        self._wait_for_request(Connection(self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Let an idle connection begin a request."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._act_on(conn, self._read(conn))

    def on_pending_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Let a connection go on with its request."""
        arrived = self._read(conn)
        if arrived is not Arrived.PART:
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            self._act_on(conn, arrived)

    def handle_request(self, req: Message, conn: Connection) -> bool:
        """Answer a request."""
        if not conn.is_whole:
            # Where the next request would begin is unknown, or far away.
            req.force_close()
        conn.sock.settimeout(TRANSFER_SECONDS)
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            self.log.info("A client has not taken its answer for %s s", TRANSFER_SECONDS)
            return False

    def finish_request(self, conn: Connection, fs: "Future[bool]") -> None:
        """Wait for the next request after this one, or close the connection."""
        if fs.cancelled() or fs.exception() or not fs.result():
            self._linger(conn)
            return
        conn.sock.setblocking(False)
        if read_ahead := conn.read_ahead():
            self._act_on(conn, self._add(conn, read_ahead))
        else:
            self._wait_for_request(conn)

    def murder_pending(self) -> None:
        """Close the connections that have taken too long."""
        now = time.monotonic()
        while self.pending_conns and self.pending_conns[0].timeout < now:
            conn = self.pending_conns.popleft()
            self.poller.unregister(conn.sock)
            self._refuse(conn, "408 Request Timeout")
        while self.lingering and self.lingering[0].timeout < now:
            self._drop(self.lingering.popleft())

    def _make_room(self) -> None:
        if self.keepalived_conns:
            self._drop(self.keepalived_conns.popleft())

    def _wait_for_request(self, conn: Connection) -> None:
        conn.timeout = time.monotonic() + (self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER)
        self.keepalived_conns.append(conn)
        self._when_readable(conn, self.on_client_socket_readable)

    def _read(self, conn: Connection) -> Arrived:
        try:
            data = conn.sock.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return Arrived.PART
        except OSError:
            data = b""
        return self._add(conn, data) if data else Arrived.REFUSABLE

    def _add(self, conn: Connection, data: bytes) -> Arrived:
        arrived = conn.buffer.add(data)
        if conn.buffer.wants_continue:
            conn.buffer.wants_continue = False
            if arrived is Arrived.PART:
                self._say(conn, "100 Continue\r\n\r\n")
        return arrived

    def _act_on(self, conn: Connection, arrived: Arrived) -> None:
        """Do with a connection that no poller watches what is to be done now."""
        if arrived is Arrived.PART:
            conn.timeout = time.monotonic() + TRANSFER_SECONDS
            self.pending_conns.append(conn)
            self._when_readable(conn, self.on_pending_socket_readable)
        elif arrived in (Arrived.HEAD_TOO_LARGE, Arrived.BODY_TOO_LARGE):
            self._refuse(conn, arrived.value)
        elif conn.buffer:
            conn.make_ready(arrived)
            self.enqueue_req(conn)
        else:
            self._drop(conn)

    def _refuse(self, conn: Connection, status: str) -> None:
        self.log.info("Refused a request: %s", status)
        self._say(conn, f"{status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self._linger(conn)

    def _say(self, conn: Connection, answer: str) -> None:
        try:
            conn.sock.send(b"HTTP/1.1 " + answer.encode())
        except OSError as error:
            self.log.debug("A client is gone: %s", error)

    def _linger(self, conn: Connection) -> None:
        """Close a connection in our direction, and soon in both."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
            return
        conn.timeout = time.monotonic() + LINGER_SECONDS
        self.lingering.append(conn)
        self._when_readable(conn, self._ignore)

    def _ignore(self, conn: Connection, client: socket.socket) -> None:
        try:
            if client.recv(_RECEIVE_BYTES):
                return
        except BlockingIOError:
            return
        except OSError as error:
            self.log.debug("A client is gone: %s", error)
        self.lingering.remove(conn)
        self._drop(conn)

    def _when_readable(self, conn: Connection, call: Callable[[Connection, socket.socket], None]) -> None:
        self.poller.register(conn.sock, selectors.EVENT_READ, functools.partial(call, conn))

    def _drop(self, conn: Connection) -> None:
        with contextlib.suppress(KeyError, ValueError):  # It is not watched.
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
