"""gunicorn's threaded worker, where no client can keep a thread for long by sending slowly."""

import contextlib
import selectors
import socket
import time
from functools import partial

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

REQUEST_SECONDS = 5
"""How long a request may take to arrive."""

ANSWER_SECONDS = 30
"""How long it may take until its answer has been sent: longer than any of our time-outs."""


class DeadlineWorker(ThreadWorker):
    """A thread reads a request and sends the answer; a client that is too slow for that is cut off."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.begun: dict[TConn, float] = {}
        """When threads began with the requests that they work on, in seconds of the monotonic clock."""

    def enqueue_req(self, conn: TConn) -> None:
        """Give a thread a connection on which something has arrived; gunicorn would let it wait for a silent one."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def handle(self, conn: TConn) -> object:
        """Handle a request, in a thread, and say whether its connection is kept."""
        self.begun[conn] = time.monotonic()
        try:
            if not (keep := super().handle(conn)):
                # gunicorn would wait for the client to close its side in the loop, where everybody else waits too.
                with contextlib.suppress(OSError):
                    util.close_graceful(conn.sock.dup())
                    conn.sock.shutdown(socket.SHUT_RD)
            return keep
        finally:
            del self.begun[conn]

    def murder_pending(self) -> None:
        """Cut off clients that are too slow; gunicorn's loop calls this once a second."""
        super().murder_pending()
        now = time.monotonic()
        for conn, begun in list(self.begun.items()):
            with contextlib.suppress(OSError):
                if now - begun > ANSWER_SECONDS:
                    conn.sock.shutdown(socket.SHUT_RDWR)
                elif now - begun > REQUEST_SECONDS:
                    # A request that has arrived is answered all the same; only its connection cannot be kept.
                    conn.sock.shutdown(socket.SHUT_RD)
