"""Faults on the wire: a proxy between two programs that can stop any message exactly.

    with Proxy("service to database", PostgresProtocol, upstream=("127.0.0.1", 54320)) as link:
        point = link.hold(Sent("COMMIT", mentioning="buy milk"))
        ...  # connect to link.port and start the operation
        held = point.wait()
        ...  # kill, stop, reset
        held.release()

The programs on both sides know nothing of it. TLS is not read, so it has to be off on the link.
"""

from .breakpoints import Breakpoint, Held
from .events import EventKind, EventLog, LinkEvent
from .http1 import Http1Protocol, HttpRequest, HttpResponse
from .http2 import Http2Protocol
from .http2_streams import Invocation
from .messages import Answer, Direction, Match, Message, NotUnderstoodError, Opaque, Sent, Side, WireProtocol
from .postgres import PostgresAnswer, PostgresProtocol, PostgresStatement
from .proxy import Proxy

__all__ = [
    "Answer",
    "Breakpoint",
    "Direction",
    "EventKind",
    "EventLog",
    "Held",
    "Http1Protocol",
    "Http2Protocol",
    "HttpRequest",
    "HttpResponse",
    "Invocation",
    "LinkEvent",
    "Match",
    "Message",
    "NotUnderstoodError",
    "Opaque",
    "PostgresAnswer",
    "PostgresProtocol",
    "PostgresStatement",
    "Proxy",
    "Sent",
    "Side",
    "WireProtocol",
]
