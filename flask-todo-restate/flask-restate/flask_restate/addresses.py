"""A server that has several addresses, such as the nodes of a Restate cluster: while one is away, another is asked."""

import functools
import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

import requests

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)

# How long an address that was away is asked only after the others. Each time that ends, one request may wait for
# it in vain, so this is much longer than that, and about as long as a node takes to restart.
AWAY_SECONDS = 10.0
# Short, because the servers are on this machine or network and are tried again while there is time.
CONNECT_TIMEOUT_SECONDS = 0.5
MIN_SECONDS = 0.01


class Addresses:
    """The addresses, and which of them do not answer; any thread may use them.

    Each process begins with a random one, so that all have their share of the load, and stays with it while it answers.
    """

    def __init__(self, given: str) -> None:
        """Take addresses that are separated by commas. Raises ValueError: there is none, or one is no address."""
        parts = (part.strip().rstrip("/") for part in given.split(","))
        self._addresses = tuple(dict.fromkeys(_checked(part) for part in parts if part))
        if not self._addresses:
            raise ValueError("there must be an address, such as http://127.0.0.1:8080")
        self._first: int | None = None
        self._away: dict[str, float] = {}
        """Until when each of those that did not answer is asked after the others."""

    def __len__(self) -> int:
        return len(self._addresses)

    def __str__(self) -> str:
        return ", ".join(self._addresses)

    def ask(self, question: Callable[[str, float], Answer | None], seconds: float, *, proves: bool = True) -> Answer:
        """Return the first answer of `question(address, seconds)`; if that is None, the next address is asked, too.

        Each gets an equal share of the seconds that are left. The next is also asked if one raises
        requests.RequestException, but for a status below 500; if all do so, an error is raised that has a response, or
        else the last. Without a response, an address is away, until it answers a question that `proves` that it works.
        """
        deadline, failure = time.monotonic() + seconds, requests.RequestException("no address has an answer")
        order = self._in_order()
        for place, address in enumerate(order):
            if address in self._away:  # While this tries it, the others need not.
                self._set_away(address)
            share = (deadline - time.monotonic()) / (len(order) - place)
            try:
                answer = question(address, max(share, MIN_SECONDS))
            except requests.RequestException as error:
                if not may_pass(error):
                    raise
                if error.response is None:
                    self._set_away(address)
                if error.response is not None or failure.response is None:
                    failure = error
                continue
            if proves and self._away.pop(address, 0.0):
                log.warning("%s answers again", address)
            if answer is not None:
                return answer
        raise failure

    def _set_away(self, address: str) -> None:
        if len(self) > 1 and address not in self._away:
            log.warning("%s does not answer, so another address is asked first", address)
        self._away[address] = time.monotonic() + AWAY_SECONDS

    def _in_order(self) -> list[str]:
        if self._first is None:
            # Not before: a server may fork its workers after the application was made.
            self._first = random.randrange(len(self))  # noqa: S311 - it spreads load, and is no secret
        now = time.monotonic()
        order = self._addresses[self._first :] + self._addresses[: self._first]
        return sorted(order, key=lambda address: max(self._away.get(address, 0) - now, 0))


@functools.cache
def addresses(given: str) -> Addresses:
    """Return the addresses of a setting, always the same object, so that the whole process knows which are away.

    Raises ValueError: there is none, or one is no address.
    """
    return Addresses(given)


def check_addresses(given: str) -> str:
    """Return the setting as it is. Raises ValueError: there is no address in it, or one is none."""
    addresses(given)
    return given


def may_pass(error: BaseException) -> bool:
    """Return whether the same request may have an answer later or elsewhere: there was none, or one of 500 or more."""
    return (
        isinstance(error, requests.RequestException)
        and not isinstance(error, ValueError)
        and (error.response is None or error.response.status_code >= 500)
    )


def timeout(seconds: float) -> tuple[float, float]:
    """Return how long a request may take to connect, and then to be answered, as requests wants it."""
    return min(CONNECT_TIMEOUT_SECONDS, seconds), seconds


def _checked(address: str) -> str:
    try:
        requests.Request("GET", address).prepare()
        fits = address.startswith(("http://", "https://")) and not {"?", "#"} & set(address)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{address!r} is no address such as http://127.0.0.1:8080; several are separated by commas")
    return address
