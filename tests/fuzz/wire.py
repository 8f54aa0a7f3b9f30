"""Sends requests as bytes, from several clients, and counts the answers."""

import contextlib
import http.client
import itertools
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random

from tests.fuzz.drafts import Draft
from tests.fuzz.drawing import Drafts
from tests.fuzz.tally import CLOSED, Tally
from tests.support.browser import Browser
from tests.support.running_twin import RunningTwin

CLIENTS = 6
TIMEOUT_SECONDS = 30
# Without those that say that another one follows.
_STATUS = re.compile(rb"^HTTP/1\.[01] ([2-5]\d\d) ", re.MULTILINE)


def ask_by_wire(twin: RunningTwin, number: int, tally: Tally, start: int, over: threading.Event | None = None) -> None:
    """Send so many requests to a twin, or fewer once it is `over`; `start` is the seed.

    Wrong is a server error, no answer and no end in TIMEOUT_SECONDS, and success of a request that was cut off.
    """
    browser = Browser(twin.url)
    token = browser.form("/add").fields["csrf_token"]
    cookie = "; ".join(f"{name}={value}" for name, value in browser.session.cookies.items())
    browser.close()
    host = twin.url.removeprefix("http://")
    shares = [number // CLIENTS + (client < number % CLIENTS) for client in range(CLIENTS)]
    over = over or threading.Event()
    with ThreadPoolExecutor(CLIENTS) as threads:
        clients = [
            threads.submit(WireClient(Drafts(Random(f"{start} {client}"), host, cookie, token), tally).run, share, over)
            for client, share in enumerate(shares)
        ]
        try:
            for client in clients:
                client.result()
        except BaseException:
            over.set()
            raise


class WireClient:
    """A client whose sound requests share a connection; each of the others has one of its own."""

    def __init__(self, drafts: Drafts, tally: Tally) -> None:
        self._drafts, self._tally = drafts, tally
        name, port = drafts.host.split(":")
        self._address = (name, int(port))
        self._kept: socket.socket | None = None

    def run(self, number: int, over: threading.Event) -> None:
        """Send so many requests, or fewer if it is over."""
        try:
            for draft in itertools.islice(self._drafts, number):
                if over.is_set():
                    return
                self._ask(draft)
        finally:
            self._close()

    def _ask(self, draft: Draft) -> None:
        try:
            statuses = [self._of_sound(draft)] if draft.sound else self._of_odd(draft)
            for number, status in enumerate(statuses):
                wrong = "to a request that was cut off" if draft.torn and 200 <= status < 400 else ""
                if draft.sound and status == CLOSED:
                    wrong = "to a sound request"
                self._tally.add(status, draft.to_bytes(), wrong, more=number > 0)
        except OSError as error:
            self._close()
            self._tally.add(CLOSED, draft.to_bytes(), str(error))

    def _of_sound(self, draft: Draft) -> int:
        """Send it on the connection that is kept, or else on a new one, and return the status of the answer."""
        is_new = self._kept is None
        if self._kept is None:
            self._kept = socket.create_connection(self._address, TIMEOUT_SECONDS)
            self._kept.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = http.client.HTTPResponse(self._kept, method=draft.method.decode())
        try:
            self._kept.sendall(draft.to_bytes())
            answer.begin()
            answer.read()
        except (ConnectionError, http.client.HTTPException):
            self._close()
            # The server may have closed a kept one meanwhile.
            return CLOSED if is_new else self._of_sound(draft)
        if answer.status == 201:
            self._drafts.last_id = str(answer.getheader("location")).rpartition("/")[2]
        if answer.will_close:
            self._close()
        return answer.status

    def _of_odd(self, draft: Draft) -> list[int]:
        """Send it and nothing more, and return the status of each answer until the connection is closed."""
        answers = b""
        with (
            socket.create_connection(self._address, TIMEOUT_SECONDS) as connection,
            contextlib.suppress(ConnectionError),
        ):
            with contextlib.suppress(ConnectionError):
                connection.sendall(draft.to_bytes())
                connection.shutdown(socket.SHUT_WR)
            while received := connection.recv(65536):
                answers += received
        return list(map(int, _STATUS.findall(answers))) or [CLOSED]

    def _close(self) -> None:
        if self._kept:
            self._kept.close()
        self._kept = None
