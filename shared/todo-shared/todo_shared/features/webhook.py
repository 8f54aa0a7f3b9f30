"""Addresses of strangers: which may be called, and a call that reaches no other and takes no longer than it may."""

import contextlib
import ipaddress
import socket
import threading
import time
import unicodedata
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError
from urllib3.util import parse_url

from todo_shared.features.errors import ConflictError
from todo_shared.features.outside import REPEATED_LATER, outside_settings

URL_MAX_LENGTH = 2000
PORTS = {"http": 80, "https": 443}
UNICAST = ipaddress.ip_network("2000::/3")


class ForbiddenAddressError(ConflictError):
    """An address leads to nobody, or to where only we are."""


def clean_url(text: str) -> str:
    """Return a webhook's URL as it is called, in ASCII.

    Raises ValueError: it is none, with the reason. Where it leads to is not looked at.
    """
    text = text.strip(" ")
    if any(unicodedata.category(character)[0] in "CZ" for character in text):
        raise ValueError("A URL may not contain control characters or blanks.")
    if len(text) > URL_MAX_LENGTH:
        raise ValueError(f"A URL may have at most {URL_MAX_LENGTH} characters.")
    if not text.lower().startswith(("http://", "https://")):
        raise ValueError("A webhook's URL begins with http:// or https://")
    try:
        url = requests.Request("POST", text).prepare().url or ""
        parts = parse_url(url)
    except (ValueError, UnicodeError):
        raise ValueError("This is not a URL.") from None
    if parts.auth is not None:
        raise ValueError("A webhook's URL may not contain a user or a password.")
    if not parts.host or len(parts.host) > 253 or "%" in parts.host:
        raise ValueError("This URL has no host.")
    if len(url) > URL_MAX_LENGTH:
        raise ValueError(f"A URL may have at most {URL_MAX_LENGTH} characters.")
    return url


def refuse_forbidden(url: str) -> None:
    """Raise ForbiddenAddressError unless this URL, which is clean, may be called."""
    parts = parse_url(url)
    host, port = str(parts.host).strip("[]"), parts.port or PORTS[str(parts.scheme)]
    if _is_excepted(host, port):
        # Who sets it need not reach it.
        return
    try:
        allowed_addresses(host, port)
    except (OSError, UnicodeError):
        raise ForbiddenAddressError(f"There is no host {host}.") from None


def allowed_addresses(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host, in any notation.

    Raises ForbiddenAddressError: any of them is not public; OSError or UnicodeError: there is no such host.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if _is_excepted(host, port) or all(map(_is_public, addresses)):
        return addresses
    raise ForbiddenAddressError("This address is private.")


def _is_excepted(host: str, port: int) -> bool:
    return f"{host}:{port}".lower() in outside_settings().webhook_hosts


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        # What is not there stands for IPv4 addresses, this machine or this network; 6to4 is, and stands for IPv4, too.
        return address in UNICAST and address.is_global and address.sixtofour is None
    return address.is_global and not address.is_multicast


def call(url: str, body: dict[str, Any], headers: dict[str, str]) -> None:
    """Post to a webhook. Redirects are not followed, and what it answers beside a status is not read.

    Raises ConflictError: it refuses for good, or may not be called (ForbiddenAddressError);
    requests.RequestException: it refuses for now (requests.HTTPError), or it is unknown whether it has taken the call.
    """
    seconds, begun = outside_settings().outside_timeout_seconds, time.monotonic()
    request = requests.Request("POST", url, json=body, headers=headers).prepare()
    # Without a session, which would read what comes with a redirect, and use proxies, which may reach what is private.
    with (
        contextlib.closing(_GuardedAdapter()) as adapter,
        adapter.send(request, stream=True, timeout=seconds) as response,
    ):
        if time.monotonic() - begun > seconds:
            raise requests.ReadTimeout(f"The webhook did not answer within {seconds:g} s.")
    if response.status_code >= 500 or response.status_code in REPEATED_LATER:
        raise requests.HTTPError(f"{response.status_code} from the webhook", response=response)
    if response.status_code >= 300:
        redirects = response.is_redirect and ", a redirect, which is not followed"
        raise ConflictError(f"It answered with status {response.status_code}{redirects or ''}.")


class _Guarded(HTTPConnection):
    """A connection to an address that was checked, which is cut when the time for the whole exchange is over."""

    _watch: threading.Timer | None = None
    _watched: socket.socket

    def _new_conn(self) -> socket.socket:
        deadline = time.monotonic() + outside_settings().outside_timeout_seconds
        try:
            connected = _connect(allowed_addresses(self.host, self.port), self.port, deadline)
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, f"{self.host} cannot be reached: {error}") from error
        # Another descriptor of the same socket, because TLS takes this one over.
        self._watched = connected.dup()
        self._watch = threading.Timer(max(deadline - time.monotonic(), 0), _cut, [self._watched])
        self._watch.daemon = True
        self._watch.start()
        return connected

    def close(self) -> None:
        """Close it."""
        super().close()
        if self._watch:
            self._watch.cancel()
            self._watched.close()


class _GuardedTLS(_Guarded, HTTPSConnection):
    """The same, encrypted."""


class _GuardedPool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _GuardedTLSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTLS


class _GuardedAdapter(HTTPAdapter):
    poolmanager: PoolManager

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:  # noqa: ANN401, FBT - as in requests
        """Let it make these connections only."""
        super().init_poolmanager(connections, maxsize, block, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _GuardedPool, "https": _GuardedTLSPool}


def _connect(addresses: list[str], port: int, deadline: float) -> socket.socket:
    """Connect to the first address that takes it, by the deadline of the monotonic clock. Raises OSError."""
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, port), max(deadline - time.monotonic(), 0.01))
    return socket.create_connection((addresses[-1], port), max(deadline - time.monotonic(), 0.01))


def _cut(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
