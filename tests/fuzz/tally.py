"""Counts what random requests were answered."""

import threading
from collections import Counter
from dataclasses import dataclass, field

import requests

CLOSED = 0
"""Instead of a status: the connection was closed without an answer."""
REFUSALS = (501, 505)
"""5xx that are right: RFC 9110 and 9112 ask for them where a method, a transfer coding or a version is not known."""


@dataclass
class Tally:
    """How many requests one generator has sent, by status, and what was wrong."""

    generator: str
    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    """Of the answers: what was sent in one request may be taken for two."""
    wrong: list[str] = field(default_factory=list)
    """Each server error, and what else must not be, with the request."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, status: int, request: object, wrong: str = "", *, more: bool = False) -> None:
        """Count a request and its answer, or one `more` answer to it; what is wrong is kept with the request."""
        with self._lock:
            self.sent += not more
            self.statuses[status] += 1
            if wrong or is_server_error(status):
                self.wrong.append(f"{status} {wrong}: {request!r}")

    def session(self) -> requests.Session:
        """Return a session whose answers are counted."""
        session = requests.Session()
        session.trust_env = False

        def count(response: requests.Response, *_args: object, **_kwargs: object) -> None:
            sent = response.request
            self.add(response.status_code, (sent.method, sent.url, dict(sent.headers), sent.body))

        session.hooks["response"].append(count)
        return session

    def __str__(self) -> str:
        by_status = ", ".join(f"{status or 'closed'}: {number:,}" for status, number in sorted(self.statuses.items()))
        return f"{self.generator:<14}{self.sent:>9,} requests; {by_status}"


def is_server_error(status: int) -> bool:
    """Whether this status says that a healthy server failed."""
    return status >= 500 and status not in REFUSALS
