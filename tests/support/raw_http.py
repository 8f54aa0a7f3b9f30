"""Requests written byte by byte, for what no HTTP library would send."""

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.support.running_twin import TIMEOUT_SECONDS

JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
CHUNKED = "Transfer-Encoding: chunked"


@dataclass(frozen=True)
class Answer:
    """What a server has sent back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        """Return the body as JSON."""
        return json.loads(self.body)


def request(method: str, path: str, *headers: str, body: bytes = b"", host: str | None = "test.example") -> bytes:
    """Return a request; its headers say nothing about its length unless they are told to."""
    lines = [f"{method} {path} HTTP/1.1", *([] if host is None else [f"Host: {host}"]), *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def chunks(*parts: bytes) -> bytes:
    """Return the parts as the chunks of a body, and its end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


def connect(url: str, data: bytes = b"") -> socket.socket:
    """Return a connection to a server on which this was sent."""
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname, address.port), timeout=TIMEOUT_SECONDS)
    connection.sendall(data)
    return connection


def exchange(url: str, data: bytes) -> Answer:
    """Send this and nothing more, and return the answer."""
    with connect(url, data) as connection:
        connection.shutdown(socket.SHUT_WR)
        return answer_on(connection)


def answer_on(connection: socket.socket) -> Answer:
    """Return the next answer on a connection."""
    with http.client.HTTPResponse(connection) as response:
        response.begin()
        return Answer(response.status, response.headers, response.read())
