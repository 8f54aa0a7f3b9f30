"""The seams: the messages that a write consists of, in their order, for each twin."""

from dataclasses import dataclass

from tests.faultlab.laboratory import CLIENT, INGRESS, PROCESSES, SERVICE, database_link
from tests.faultlab.wire.messages import Answer, Match, Sent
from tests.support.history import ClientOperation
from todo_stack.twins import TWINS, Twin

_STATEMENTS = {"add": "INSERT INTO todo", "update": "UPDATE todo", "delete": "DELETE FROM todo"}

MatchKind = type[Sent] | type[Answer]


@dataclass(frozen=True)
class Seam:
    """One message on the way of a write, and what has been achieved when it is held."""

    twin: Twin
    name: str
    link: str
    direction: MatchKind
    message: str
    """What it is called on the link, as a format for the operation's {method}, {statement} and {kind}."""
    explains: str
    applied: bool
    """The transaction has been committed."""
    accepted: bool
    """Restate has the call in its log."""

    @property
    def safe(self) -> bool:
        """The write is or will be done, whatever becomes of the web application."""
        return self.applied or self.accepted

    @property
    def ends(self) -> tuple[str, str]:
        """The processes that send and receive the message, or the client."""
        # The ingress is a part of Restate.
        caller, callee = ("Restate" if end == "ingress" else end for end in self.link.split(" to "))
        return (caller, callee) if self.direction is Sent else (callee, caller)

    @property
    def involved(self) -> tuple[str, ...]:
        """The processes at the ends of the link and those that wait behind them, without the client."""
        chain = tuple(PROCESSES[self.twin])
        return chain[: max(chain.index(end) for end in self.ends if end in chain) + 1]

    def match(self, operation: ClientOperation) -> Match:
        """Return what recognises the message of one operation."""
        method, _, _ = operation.request()
        name = self.message.format(method=method, statement=_STATEMENTS[operation.kind], kind=operation.kind)
        return self.direction(name, mentioning=trace_on(self.link, operation))


def trace_on(link: str, operation: ClientOperation) -> str | int:
    """Return what every message of an operation on a link mentions: its request id, or its task or todo's id."""
    if link in (CLIENT, INGRESS):
        return operation.key
    return operation.todo_id or operation.marker


def _seams(twin: Twin) -> list[Seam]:
    database, call = database_link(twin), "POST /restate/call/TodoService/{kind}_todo"
    every: list[tuple[str, str, MatchKind, str, str]] = [
        ("request", CLIENT, Sent, "{method} /api/todos", "the request on its way to the web application"),
        ("call", INGRESS, Sent, call, "the call on its way to Restate's ingress"),
        ("invocation", SERVICE, Sent, "invoke TodoService/{kind}_todo", "the invocation on its way to the service"),
        ("statement", database, Sent, "{statement}", "the statement on its way"),
        ("row", database, Answer, "{statement}", "the answer to the statement"),
        ("COMMIT", database, Sent, "COMMIT", "COMMIT on its way"),
        ("committed", database, Answer, "COMMIT", "the answer to COMMIT"),
        ("result", SERVICE, Answer, "ProposeRunCompletion", "the step's result on its way into the journal"),
        ("journalled", SERVICE, Sent, "RunCompletionNotification", "the word that the result is journalled"),
        ("output", SERVICE, Answer, "OutputCommand", "the handler's result on its way to Restate"),
        ("return", INGRESS, Answer, call, "the result on its way back to the web"),
        ("response", CLIENT, Answer, "{method} /api/todos", "the response on its way to the client"),
    ]
    names = [name for name, *_ in every]
    applied, accepted = names.index("committed"), names.index("invocation")
    return [
        Seam(twin, *row, applied=at >= applied, accepted=twin.durable and at >= accepted)
        for at, row in enumerate(every)
        if twin.durable or row[1] not in (INGRESS, SERVICE)
    ]


SEAMS = {twin: _seams(twin) for twin in TWINS}
"""By twin, in the order in which a write crosses them."""
