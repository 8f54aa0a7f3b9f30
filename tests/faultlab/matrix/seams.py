"""The seams: the message boundaries that a write crosses, in their order, for each twin."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faultlab.laboratory import CLIENT, DATABASE, INGRESS, SERVICE
from tests.faultlab.wire import Answer, Match, Sent
from todo_stack.twins import PLAIN, RESTATE

_PLAIN, _RESTATE = PLAIN.key, RESTATE.key

OPERATIONS = ("add", "update", "delete")

_METHODS = {"add": "POST", "update": "PATCH", "delete": "DELETE"}
_STATEMENTS = {"add": "INSERT INTO todo", "update": "UPDATE todo", "delete": "DELETE FROM todo"}


@dataclass(frozen=True)
class Target:
    """What singles out one operation on the links."""

    operation: str
    key: str
    """Its request id, on the HTTP links."""
    text: str
    """Its task."""
    todo_id: int
    """Its todo, unless it adds one."""

    @property
    def marker(self) -> str | int:
        """What is seen of it in statements and in the service's messages."""
        return self.text if self.operation == "add" else self.todo_id


@dataclass(frozen=True)
class Seam:
    """One message on the way of a write, and what has been achieved when it is stopped."""

    twin: str
    name: str
    link: str
    sender: str
    receiver: str
    explains: str
    match: Callable[[Target], Match]
    applied: bool = False
    """The transaction has been committed."""
    accepted: bool = False
    """Restate has the call in its log."""

    @property
    def involved(self) -> tuple[str, ...]:
        """The processes at the ends of the link and those that wait behind them, without the client."""
        chain = ("web", "database") if self.twin == _PLAIN else ("web", "Restate", "service", "database")
        return chain[: max(chain.index(end) for end in (self.sender, self.receiver) if end in chain) + 1]


def _request(target: Target) -> Match:
    return Sent(f"{_METHODS[target.operation]} /api/todos", mentioning=target.key)


def _response(target: Target) -> Match:
    return Answer(f"{_METHODS[target.operation]} /api/todos", mentioning=target.key)


def _call(target: Target) -> Match:
    return Sent(f"POST /restate/call/TodoService/{target.operation}_todo", mentioning=target.key)


def _return(target: Target) -> Match:
    return Answer(f"POST /restate/call/TodoService/{target.operation}_todo", mentioning=target.key)


def _invocation(target: Target) -> Match:
    return Sent(f"invoke TodoService/{target.operation}_todo", mentioning=target.marker)


def _statement(target: Target) -> Match:
    return Sent(_STATEMENTS[target.operation], mentioning=target.marker)


def _row(target: Target) -> Match:
    return Answer(_STATEMENTS[target.operation], mentioning=target.marker)


def _commit(target: Target) -> Match:
    return Sent("COMMIT", mentioning=target.marker)


def _committed(target: Target) -> Match:
    return Answer("COMMIT", mentioning=target.marker)


def _result(target: Target) -> Match:
    return Answer("ProposeRunCompletion", mentioning=target.marker)


def _journalled(target: Target) -> Match:
    return Sent("RunCompletionNotification", mentioning=target.marker)


def _output(target: Target) -> Match:
    return Answer("OutputCommand", mentioning=target.marker)


def _on_database(twin: str, writer: str, *, accepted: bool) -> list[Seam]:
    link = DATABASE.format(writer)
    return [
        Seam(twin, "statement", link, writer, "database", "the statement on its way", _statement, accepted=accepted),
        Seam(twin, "row", link, "database", writer, "the answer to the statement", _row, accepted=accepted),
        Seam(twin, "COMMIT", link, writer, "database", "COMMIT on its way", _commit, accepted=accepted),
        Seam(twin, "committed", link, "database", writer, "the answer to COMMIT", _committed, True, accepted),
    ]


def _ends(twin: str) -> tuple[Seam, Seam]:
    return (
        Seam(twin, "request", CLIENT, "client", "web", "the request on its way to the web application", _request),
        Seam(twin, "response", CLIENT, "web", "client", "the response on its way to the client", _response, True, True),
    )


def _seams() -> dict[str, list[Seam]]:
    first, last = _ends(_PLAIN)
    plain = [first, *_on_database(_PLAIN, "web", accepted=False), last]
    first, last = _ends(_RESTATE)
    r, s = "Restate", "service"
    durable = [
        first,
        Seam(_RESTATE, "call", INGRESS, "web", r, "the call on its way to Restate's ingress", _call),
        Seam(
            _RESTATE,
            "invocation",
            SERVICE,
            r,
            s,
            "the invocation on its way to the service",
            _invocation,
            False,
            True,
        ),
        *_on_database(_RESTATE, s, accepted=True),
        Seam(_RESTATE, "result", SERVICE, s, r, "the step's result on its way into the journal", _result, True, True),
        Seam(_RESTATE, "journalled", SERVICE, r, s, "the word that the result is journalled", _journalled, True, True),
        Seam(_RESTATE, "output", SERVICE, s, r, "the handler's result on its way to Restate", _output, True, True),
        Seam(_RESTATE, "return", INGRESS, r, "web", "the result on its way back to the web", _return, True, True),
        last,
    ]
    return {_PLAIN: plain, _RESTATE: durable}


SEAMS = _seams()
"""By twin, in the order in which a write crosses them."""
