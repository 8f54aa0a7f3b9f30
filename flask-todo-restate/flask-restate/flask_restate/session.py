"""Sends requests to the ingress by urllib3, over connections that are kept, and each in one piece.

Its answers and errors are those of requests, which is built on urllib3, too. But what the session of requests does
beside that takes the processor as long as the rest, for each write of an application.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_auth_from_url
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import make_headers, parse_url

from flask_restate import tracing
from flask_restate.addresses import timeout

# As many as a process can have threads, so that every connection is reused.
MAX_IDLE_CONNECTIONS = 256
NO_HEADERS: Mapping[str, str] = {}


class IngressSession:
    """Sends requests. Any thread may use it. Proxies that are set in the shell are for the internet, and not used."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        """What is sent with each request."""
        self.on_answer: list[Callable[[requests.Response], object]] = []
        """What is called with each answer."""
        self.tls: dict[str, Any] = {"ca_certs": DEFAULT_CA_BUNDLE_PATH}
        """Settings of urllib3's HTTPSConnectionPool, for what is sent from then on to a new address."""
        self._pools: dict[str, tuple[HTTPConnectionPool, str, Mapping[str, str]]] = {}

    def request(
        self,
        method: str,
        endpoint: str,
        path: str,
        seconds: float,
        body: bytes | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> requests.Response:
        """Send a request to a path below an endpoint, and return the answer.

        Raises requests.RequestException: none comes within the seconds; ValueError: a header is none.
        """
        if tracing.ON:
            return tracing.call(
                lambda trace: self._request(method, endpoint, path, seconds, body, {**headers, **trace}),
                method,
                endpoint,
            )
        return self._request(method, endpoint, path, seconds, body, headers)

    def _request(
        self, method: str, endpoint: str, path: str, seconds: float, body: bytes | None, headers: Mapping[str, str]
    ) -> requests.Response:
        pool, below, own = self._pools.get(endpoint) or self._pools.setdefault(endpoint, self._pool(endpoint))
        connect, read = timeout(seconds)
        try:
            raw = pool.urlopen(
                method,
                below + path,
                body,
                {**own, **self.headers, **headers},
                retries=False,
                redirect=False,
                timeout=Timeout(connect=connect, read=read),
            )
        except ReadTimeoutError as error:
            raise requests.ReadTimeout(error) from error
        except HTTPError as error:
            raise requests.ConnectionError(error) from error
        answer = requests.Response()
        answer.status_code, answer.url, answer.raw = raw.status, endpoint + path, io.BytesIO(raw.data)
        answer.headers.update(raw.headers)
        for action in self.on_answer:
            action(answer)
        return answer

    def close(self) -> None:
        """Close the connections that are not in use."""
        for pool, *_ in self._pools.values():
            pool.close()

    def _pool(self, endpoint: str) -> tuple[HTTPConnectionPool, str, Mapping[str, str]]:
        """Return the connections to an endpoint, its own path, and what is sent to it with each request."""
        address = parse_url(endpoint)
        options: dict[str, Any] = {"maxsize": MAX_IDLE_CONNECTIONS}
        kind: type[HTTPConnectionPool] = _Pool
        if address.scheme == "https":
            kind, options = _TlsPool, options | self.tls
        user = make_headers(basic_auth=":".join(get_auth_from_url(endpoint))) if address.auth else {}
        return kind(str(address.host), address.port, **options), address.path or "", user


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
