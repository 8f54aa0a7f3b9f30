"""Results as the worker announces them: one connection listens for all requests of this process."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Any

import psycopg2

from tests.costs.peers.outbox_peer.table import DONE, announced, listen

RETRY_SECONDS = 0.5


class Answers:
    """Takes results to those who wait for them, by key."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: dict[str, SimpleQueue[dict[str, Any]]] = {}
        threading.Thread(target=self._listen, name="answers", daemon=True).start()

    @contextlib.contextmanager
    def expected(self, key: str) -> Iterator["SimpleQueue[dict[str, Any]]"]:
        """Take what is announced for this key from now on."""
        queue = self._waiting[key] = SimpleQueue()
        try:
            yield queue
        finally:
            self._waiting.pop(key, None)

    def _listen(self) -> None:
        while True:
            with (
                contextlib.suppress(psycopg2.OperationalError),
                contextlib.closing(listen(self._url, DONE)) as connection,
            ):
                while True:
                    for answer in map(json.loads, announced(connection)):
                        if queue := self._waiting.get(answer["key"]):
                            queue.put(answer["todo"])
            # What was announced meanwhile is lost, and found in the table by those who wait.
            time.sleep(RETRY_SECONDS)


def wait(queue: "SimpleQueue[dict[str, Any]]", seconds: float) -> dict[str, Any] | None:
    """Return what comes within this time, if anything."""
    try:
        return queue.get(timeout=seconds)
    except Empty:
        return None
