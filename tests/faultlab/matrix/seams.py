"""The seams: the messages that an operation consists of, in their order, for each twin.

Which there are is not claimed but recorded, in seams.json: see tests.faultlab.matrix.recording.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from tests.faultlab.laboratory import OUTSIDE, PROCESSES
from tests.faultlab.matrix.traces import Traces
from tests.faultlab.wire.messages import Answer, Match, Message, Sent
from tests.support.control import COMPARED
from tests.support.history import NOTHING, WHOLE, ClientOperation, Truth
from tests.support.truth import OPERATIONS, REMINDS
from todo_stack.twins import Twin

RECORDED = Path(__file__).with_name("seams.json")

MatchKind = type[Sent] | type[Answer]

_WRITES = ("INSERT INTO", "UPDATE", "DELETE FROM", "WITH")
_LEDGER = ("INSERT INTO operation",)


class SeamKind(NamedTuple):
    """A part that messages have in an operation."""

    name: str
    receiver: str
    """Where its link leads to."""
    direction: MatchKind
    words: tuple[str, ...]
    """What such a message is called; nothing is any."""
    explains: str

    def recognises(self, link: str, message: Message) -> bool:
        """Whether a message on a link has this part."""
        return link.endswith(f" to {self.receiver}") and any(self.direction(word)(message) for word in self.words)


KINDS = [
    SeamKind("request", "web", Sent, ("",), "the request on its way to the web application"),
    SeamKind("call", "ingress", Sent, ("",), "the call on its way to Restate's ingress"),
    SeamKind("invocation", "service", Sent, ("invoke",), "the invocation on its way to the service"),
    # Before the others: it is a statement, too.
    SeamKind("ledger", "database", Sent, _LEDGER, "the statement that writes the row of the ledger on its way"),
    SeamKind("ledger row", "database", Answer, _LEDGER, ""),
    SeamKind("statement", "database", Sent, _WRITES, "the statement on its way"),
    SeamKind("row", "database", Answer, _WRITES, "the answer to the statement"),
    SeamKind("COMMIT", "database", Sent, ("COMMIT",), "COMMIT on its way"),
    SeamKind("committed", "database", Answer, ("COMMIT",), "the answer to COMMIT"),
    SeamKind("ask", OUTSIDE, Sent, ("",), "the request on its way to the outside world"),
    SeamKind("answer", OUTSIDE, Answer, ("",), "the answer of the outside world on its way back"),
    SeamKind("send", "service", Answer, ("OneWayCallCommand",), "a one-way call on its way into the journal"),
    SeamKind("result", "service", Answer, ("ProposeRunCompletion",), "the step's result on its way into the journal"),
    SeamKind("journalled", "service", Sent, ("RunCompletionNotification",), "the word that the result is journalled"),
    SeamKind("output", "service", Answer, ("OutputCommand",), "the handler's result on its way to Restate"),
    SeamKind("return", "ingress", Answer, ("",), "the result on its way back to the web"),
    SeamKind("response", "web", Answer, ("",), "the response on its way to the client"),
]
"""In the order in which a write meets them first; what has no explanation is no seam."""


def kind_of(link: str, message: Message) -> SeamKind | None:
    """Return which part a message has in its operation; None if it is no seam."""
    kind = next((kind for kind in KINDS if kind.recognises(link, message)), None)
    return kind if kind and kind.explains else None


@dataclass(frozen=True)
class Seam:
    """One message on the way of an operation, and what has been achieved when it is held."""

    twin: Twin
    operation: str
    kind: SeamKind
    number: int
    """Which of its kind it is in the operation, from 1."""
    link: str
    message: str
    """What it is called on the link."""
    truth: Truth
    """What there is of the operation when it is held."""
    accepted: bool
    """Restate has the call in its log."""
    background: bool
    """The client has its answer before."""
    racing: bool
    """Something else goes on behind the client's back meanwhile, so that the truth may be a later one."""

    @property
    def name(self) -> str:
        """Its kind and, from the second on, its number."""
        return self.kind.name if self.number == 1 else f"{self.kind.name} {self.number}"

    @property
    def explains(self) -> str:
        """What it is, with what it is called on the link."""
        return f"{self.kind.explains} ({self.message})"

    @property
    def comes_to(self) -> Truth:
        """What there is in the end if its client does no more about it: a reminder that is set will be mailed."""
        return WHOLE if self.operation == "set reminder" and self.truth.goes_on else self.truth

    @property
    def applied(self) -> bool:
        """All of the operation is done, or will be by itself."""
        return self.comes_to == WHOLE

    @property
    def safe(self) -> bool:
        """The write is or will be done, whatever becomes of the web application."""
        return self.applied or self.accepted

    @property
    def ends(self) -> tuple[str, str]:
        """The processes that send and receive the message, or the client."""
        # The ingress is a part of Restate.
        caller, callee = ("Restate" if end == "ingress" else end for end in self.link.split(" to "))
        return (caller, callee) if self.kind.direction is Sent else (callee, caller)

    @property
    def involved(self) -> tuple[str, ...]:
        """The processes at the ends of the link and those that wait behind them, without the client."""
        chain = tuple(PROCESSES[self.twin])
        return chain[: max(chain.index(end) for end in self.ends if end in chain) + 1]

    @cached_property
    def later(self) -> "list[Seam]":
        """The seams that come after it."""
        seams = SEAMS[self.twin][self.operation]
        return seams[seams.index(self) + 1 :]

    @property
    def undone(self) -> bool:
        """Whether the plain twin undoes what there is when it cannot go on from here."""
        return self.operation == "plan" and not self.twin.durable and self.truth != NOTHING

    @property
    def delayed(self) -> bool:
        """Whether it comes only when a reminder is due."""
        return self.operation == "remind"

    @cached_property
    def earlier(self) -> "list[Seam]":
        """The seams that come before it."""
        seams = SEAMS[self.twin][self.operation]
        return seams[: seams.index(self)]

    def match(self, traces: Traces, operation: ClientOperation) -> Match:
        """Return what recognises the message of one operation: the so-manieth of its kind."""
        return _NumberedMatch(self, traces, operation)

    def __str__(self) -> str:
        return f"{self.twin}/{self.operation}/{self.name}"


@dataclass
class _NumberedMatch:
    seam: Seam
    traces: Traces
    operation: ClientOperation
    seen: int = field(default=0)

    def __call__(self, message: Message) -> bool:
        if self.operation.key not in self.traces.owners(message):
            return False
        if kind_of(self.seam.link, message) is not self.seam.kind:
            return False
        self.seen += 1
        return self.seen == self.seam.number

    def __str__(self) -> str:
        return str(self.seam)


def seams_of(twin: Twin, operation: str, recorded: Iterable[Mapping[str, Any]]) -> list[Seam]:
    """Return the seams of an operation, from what was recorded of it."""
    kinds = {kind.name: kind for kind in KINDS}
    seams: list[Seam] = []
    for row in recorded:
        kind = kinds[row["seam"]]
        before = [seam.kind.name for seam in seams]
        begun = [name for name in before if name in ("send", "invocation")]
        seams.append(
            Seam(
                *(twin, operation, kind),
                number=1 + sum(seam.kind is kind for seam in seams),
                link=row["link"],
                message=row["message"],
                truth=NOTHING._replace(**row.get("truth", {})),
                accepted=twin.durable and "call" in before and (kind.name == "invocation" or "invocation" in before),
                background="response" in before,
                racing=begun[-1:] == ["send"] and kind.name != "invocation",
            )
        )
    if operation in REMINDS:
        # The first is the setting, up to its client's answer, the other what is done when it is due.
        return [seam for seam in seams if seam.background == (operation == "remind")]
    return seams


def read_seams() -> dict[Twin, dict[str, list[Seam]]]:
    """Return the recorded seams of both twins and the control."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    return {
        twin: {
            operation: seams_of(twin, operation, rows)
            for operation in OPERATIONS
            if (rows := recorded.get(twin.key, {}).get(operation))
        }
        for twin in COMPARED
    }


SEAMS = read_seams()
"""By twin and operation, in the order in which an operation crosses them."""
