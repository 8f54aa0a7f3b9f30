"""Makes the session that sends requests to the ingress: over connections that are kept, each in one piece."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

# As many as a process can have threads, so that every connection is reused.
MAX_IDLE_CONNECTIONS = 256


def new_session() -> requests.Session:
    """Return what sends requests to the ingress."""
    session = requests.Session()
    # Proxies that are set in the shell are for the internet.
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session


class _Connection(HTTPConnection):
    """Sends the head of a request together with its body.

    http.client sends them one after the other, and the server is woken for each.
    """

    _held: list[bytes] | None = None

    def request(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as urllib3 has them
        """Send a request."""
        held: list[bytes] = []
        self._held = held
        try:
            super().request(*args, **options)
        finally:
            self._held = None
        self.send(b"".join(held))

    def send(self, data: Any) -> None:  # noqa: ANN401 - as http.client has it
        """Send bytes, or keep them until the request is complete."""
        if self._held is None:
            super().send(data)
        else:
            self._held.append(data)


class _TlsConnection(_Connection, HTTPSConnection):
    """The same with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """Sends what Restate understands."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=MAX_IDLE_CONNECTIONS)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def add_headers(self, request: requests.PreparedRequest, **_: object) -> None:
        """Say of a trace only whether it is sampled: for more than that, such as a random id, Restate forgets it."""
        if trace := request.headers.get("traceparent"):
            ids, flags = trace.rsplit("-", 1)
            request.headers["traceparent"] = f"{ids}-{int(flags, 16) & 1:02x}"
