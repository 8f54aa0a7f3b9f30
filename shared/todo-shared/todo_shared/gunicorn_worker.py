"""gunicorn's threaded worker, where no client can keep a thread for long, and where a queue has an end."""

import contextlib
import selectors
import socket
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

from todo_shared.outages import Outage
from todo_shared.sockets import has_news
from todo_shared.thread_pool import WorkQueue, aside, thread_pool

REQUEST_SECONDS = 5
"""How long a request may take to arrive."""

ANSWER_SECONDS = 30
"""How long it may take until its answer has been sent: longer than any of our time-outs."""

STAY_MILLISECONDS = 5
"""How long a thread stays with a client that it has answered, if others are free: most send their next request at once,
which then takes no turn through the loop and back."""

LONG_SECONDS = 0.1
"""Who works on a request for longer most likely waits: for a slow client, or a database that hangs."""

_HEAD = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
_DETAIL = "Too many requests are waiting. Nothing was done: please try again in a moment."
_PROBLEM = f'{{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"{_DETAIL}"}}'
_PAGE = f"<!doctype html><title>503 Service Unavailable</title><h1>Service Unavailable</h1><p>{_DETAIL}"

queue = Outage("the queue of requests")


def _has_come(conn: TConn) -> bool:
    """Return whether a request has come on this connection, of which some may have been read with the last one."""
    return bool(conn.parser.unreader.buf.getvalue()) or has_news(conn.sock.fileno())


class DeadlineWorker(ThreadWorker):
    """A thread reads a request and sends the answer; a client that is too slow for that is cut off.

    At most `room` requests wait for a thread. One more is answered at once with 503, not late or never. `at_work`
    threads work at a time, all by default, without those that step aside, and those that take long: they wait, too.
    """

    room = 256
    at_work: int | None = None

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.most_at_work = min(self.at_work or self.cfg.threads, self.cfg.threads)
        self.work = WorkQueue(self.most_at_work)
        self.begun: dict[TConn, float] = {}
        """When threads began with the requests that they work on, in seconds of the monotonic clock."""
        self.waiting: set[TConn] = set()
        """What waits for a thread."""
        self.staying: set[TConn] = set()
        """The clients that threads stay with."""
        self.answered: deque[tuple[TConn, object]] = deque()
        """The clients that have their answer, and whether they are kept, as gunicorn says it."""
        self.looked = self.notified = self.counted = 0.0
        """When the clients were looked at for the last time, when gunicorn was told that this worker lives, and when
        those were counted that take long."""

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Return the threads, which gunicorn asks for once."""
        return thread_pool(self.cfg.threads, self.work)

    def enqueue_req(self, conn: TConn) -> None:
        """Give a thread a connection on which something has arrived; gunicorn would let it wait for a silent one."""
        if conn.initialized or conn.data_ready:
            if len(self.waiting) >= self.room:
                self._refuse(conn)
                return
            self._wait_for_thread(conn)
            return
        conn.sock.setblocking(False)
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _wait_for_thread(self, conn: TConn) -> None:
        self.waiting.add(conn)
        self.tpool.submit(self.handle, conn)

    def handle(self, conn: TConn) -> None:
        """Handle a request, in a thread, and those that follow it at once, and give the client back."""
        self.waiting.discard(conn)
        self._wake_if_nobody_waits()
        queue.ended()
        keep: object = False
        try:
            keep = self._handle_one(conn)
            while keep is True and self._stay(conn):
                keep = self._handle_one(conn)
        except BaseException:  # nobody asks what became of this call
            keep = False
            self.log.exception("Error handling a request")
            with contextlib.suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RDWR)
        finally:
            self._give_back(conn, keep)

    def _handle_one(self, conn: TConn) -> object:
        self.begun[conn] = time.monotonic()
        try:
            if not (keep := super().handle(conn)):
                # gunicorn would wait for the client to close its side in the loop, where everybody else waits too.
                with contextlib.suppress(OSError, NotImplementedError):
                    util.close_graceful(conn.sock.dup())
                    conn.sock.shutdown(socket.SHUT_RD)
            return keep
        finally:
            del self.begun[conn]

    def _stay(self, conn: TConn) -> bool:
        """Return whether the next request of this client has come, and no other needs this thread."""
        if not self.alive or self.waiting or len(self.begun) + len(self.staying) + 1 >= self.cfg.threads:
            return False
        # All that stay may come back to work.
        if not self.work.fits(len(self.staying)) or conn.is_http2 or conn.parser.unreader.buf.getvalue():
            return False
        self.staying.add(conn)
        try:
            with aside():
                has_come = has_news(conn.sock.fileno(), STAY_MILLISECONDS)
                # A selector has news while what is registered there has: the loop has something to do that it has not
                # come to, and others may wait whom this thread does not see.
                is_free = has_come and not has_news(self.poller.fileno())
            return is_free and self.work.fits()
        except ValueError:  # The loop has ended, and its selector is closed, or the connection is.
            return False
        finally:
            self.staying.discard(conn)

    def _give_back(self, conn: TConn, keep: object) -> None:
        """Leave a client that has its answer to the loop. If others wait, look at the one that was left first.

        If its next request has come, it waits for a thread, too, and has taken no turn through the loop.
        """
        self.answered.append((conn, keep))
        # Another thread may have taken the last one meanwhile.
        with contextlib.suppress(IndexError):
            if self.waiting:
                first, is_kept = self.answered.popleft()
                if is_kept is True and self.alive and _has_come(first) and len(self.waiting) < self.room:
                    self._wait_for_thread(first)
                else:
                    self.answered.append((first, is_kept))
        self._wake_if_nobody_waits()

    def _wake_if_nobody_waits(self) -> None:
        """Have the loop take clients back. While others wait for a thread, it does so at its next turn, soon."""
        if self.answered and not self.waiting:
            self.method_queue.defer(self._take_back)

    def _take_back(self) -> None:
        """Close the connections of clients, or wait for their next requests in the loop, or for a thread for those."""
        # Not for those that come meanwhile: the loop has more to do.
        for _ in range(len(self.answered)):
            with contextlib.suppress(IndexError):
                conn, keep = self.answered.popleft()
                if keep is True and self.alive and _has_come(conn):
                    self.enqueue_req(conn)
                    continue
                done = Future[object]()
                done.set_result(keep)
                self.finish_request(conn, done)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for clients; but not for long while there is work.

        All threads at work may be waiting for something, or have left clients to this loop without waking it.
        """
        is_busy = self.waiting or self.begun or self.staying
        super().wait_for_and_dispatch_events(min(timeout, LONG_SECONDS / 2) if is_busy else timeout)
        self._take_back()
        if self.waiting and (now := time.monotonic()) - self.counted >= LONG_SECONDS / 2:
            self.counted = now
            self.work.allow(self.most_at_work + sum(now - begun > LONG_SECONDS for begun in list(self.begun.values())))

    def _refuse(self, conn: TConn) -> None:
        """Answer in the loop: this must not take long."""
        queue.failed(f"{len(self.waiting)} wait already (WEB_QUEUE)")
        self.nr_conns -= 1
        with contextlib.suppress(OSError):
            conn.sock.setblocking(False)
            # What is not read would make the client's system drop the answer.
            is_api = b" /api/" in conn.sock.recv(2**16).partition(b"\r\n")[0]
            kind, body = ("application/problem+json", _PROBLEM) if is_api else ("text/html; charset=utf-8", _PAGE)
            conn.sock.send(f"{_HEAD}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        conn.close()

    def notify(self) -> None:
        """Say that this worker lives, once a second: the loop calls this each time that something has happened."""
        if (now := time.monotonic()) - self.notified >= 1:
            self.notified = now
            super().notify()

    def murder_pending(self) -> None:
        """Cut off clients that are too slow, once a second."""
        now = time.monotonic()
        if now - self.looked < 1:
            return
        self.looked = now
        super().murder_pending()
        for conn, begun in list(self.begun.items()):
            with contextlib.suppress(OSError):
                if now - begun > ANSWER_SECONDS:
                    conn.sock.shutdown(socket.SHUT_RDWR)
                elif now - begun > REQUEST_SECONDS:
                    # A request that has arrived is answered all the same; only its connection cannot be kept.
                    conn.sock.shutdown(socket.SHUT_RD)
