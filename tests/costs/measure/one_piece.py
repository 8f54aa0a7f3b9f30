"""A request whose head and body are sent in one piece, as the twins and the load generator send theirs.

http.client sends two. That would wake Restate twice, and make what is held against the twins dearer than it is.
"""

import http.client
import socket
from collections.abc import Mapping

from tests.costs.measure import MeasurementError
from todo_stack.ports import HOST


def post(connection: socket.socket, path: str, body: str, headers: Mapping[str, str], *, expect: int) -> None:
    """Post JSON on a connection, and read the answer; raises MeasurementError if its status is another one."""
    own = {"host": HOST, "content-type": "application/json", "content-length": str(len(body.encode()))}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**own, **headers}.items())
    connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n{body}".encode())
    with http.client.HTTPResponse(connection, method="POST") as answer:
        answer.begin()
        answer.read()
    if answer.status != expect:
        raise MeasurementError(f"{path} was answered with {answer.status}")
