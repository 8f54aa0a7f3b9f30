"""Faults on the wire: a proxy between two programs that can stop any message exactly.

    with Proxy("service to database", PostgresProtocol(), upstream=("127.0.0.1", 54320)) as link:
        point = link.hold(Request("COMMIT", mentioning="buy milk"))
        ...  # connect to link.port and start the operation
        held = point.wait()
        ...  # kill, stop, reset
        held.release()

The programs on both sides know nothing of it. TLS is not read, so it has to be off on the link.
"""

from .breakpoints import Breakpoint, Fate, Held
from .events import Event, EventLog, Kind
from .http1 import Http1Protocol, HttpRequest, HttpResponse
from .http2 import Http2Protocol
from .http2_streams import Invocation, Stream, StreamMessage
from .matching import Answer, Match, Request
from .messages import Direction, Marker, Message, NotUnderstoodError, Opaque, Protocol, Side
from .postgres import PostgresProtocol, PostgresReply, PostgresStatement
from .proxy import Proxy

__all__ = [
    "Answer",
    "Breakpoint",
    "Direction",
    "Event",
    "EventLog",
    "Fate",
    "Held",
    "Http1Protocol",
    "Http2Protocol",
    "HttpRequest",
    "HttpResponse",
    "Invocation",
    "Kind",
    "Marker",
    "Match",
    "Message",
    "NotUnderstoodError",
    "Opaque",
    "PostgresProtocol",
    "PostgresReply",
    "PostgresStatement",
    "Protocol",
    "Proxy",
    "Request",
    "Side",
    "Stream",
    "StreamMessage",
]
