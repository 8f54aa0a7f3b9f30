"""The messages of one twin that are armed: waited for, and then held, dropped, reset or delayed."""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg2
import requests

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.matrix.seams import KINDS, SeamKind, kind_of
from tests.faultlab.wire.breakpoints import Breakpoint, Held
from tests.faultlab.wire.messages import Message
from todo_stack.errors import StackError

FATES = ("hold", "drop", "reset", "delay")


class NotNowError(Exception):
    """It cannot be done at this moment; the text says why."""


TROUBLE = (
    *(AssertionError, TimeoutError, StackError, NotNowError),
    *(psutil.Error, psycopg2.Error, requests.RequestException),
)
"""What may be raised where a server does not do as it should."""


@dataclass(eq=False)
class Armed:
    """A message that is waited for, or held."""

    kind: SeamKind
    link: str
    fate: str
    seconds: float
    point: Breakpoint
    held: Held | None = None

    def shown(self) -> dict[str, Any]:
        """Return it for the page."""
        label = self.held.message.name if self.held else ""
        return {"seam": self.kind.name, "link": self.link, "fate": self.fate, "held": bool(self.held), "label": label}


class Arms:
    """What is armed. Any thread may call its methods."""

    def __init__(self, lab: Laboratory, met: Collection[SeamKind], known: Callable[[Message], bool]) -> None:
        """Take the parts that messages of this laboratory have, and what knows a message of the customer's."""
        self._lab, self._met, self._known = lab, met, known
        self._armed: list[Armed] = []
        self._lock = threading.RLock()

    def seams(self) -> list[dict[str, str]]:
        """Return which messages can be armed: name, link and what they are."""
        return [
            {"seam": kind.name, "link": link, "explains": kind.explains}
            for kind in KINDS
            if kind in self._met and (link := self._link_of(kind))
        ]

    def shown(self) -> list[dict[str, Any]]:
        """Return what is armed, for the page."""
        with self._lock:
            return [one.shown() for one in self._armed]

    def arm(self, seam: str, fate: str, seconds: float) -> None:
        """Wait for the next such message of the customer's, and hold, drop, reset or delay it."""
        kind = next((kind for kind in self._met if kind.name == seam), None)
        link = self._link_of(kind) if kind else None
        if not kind or not link:
            raise NotNowError(f"{self._lab.which.title} has no such message: {seam}")

        def match(message: Message) -> bool:
            return kind_of(link, message) is kind and self._known(message)

        with self._lock:
            self._armed.append(Armed(kind, link, fate, seconds, self._lab.links[link].hold(match)))

    def treat(self) -> None:
        """Do to messages that were met what they were armed for."""
        with self._lock:
            for one in list(self._armed):
                if one.held and one.held.fate:
                    self._armed.remove(one)
                elif not one.held and not one.point.hits.empty():
                    one.held = one.point.wait(0)
                    if one.fate == "delay":
                        one.held.stall(one.seconds)
                    elif one.fate != "hold":
                        {"drop": one.held.drop, "reset": one.held.reset}[one.fate]()

    def release(self, fate: str) -> None:
        """Decide on all messages that are held: pass, drop or reset; disarm those that were not met yet."""
        with self._lock:
            armed, self._armed = self._armed, []
            for one in armed:
                # What is delayed was decided on, and goes on by itself.
                if one.held and not one.held.decision.done():
                    {"pass": one.held.release, "drop": one.held.drop, "reset": one.held.reset}[fate]()
                one.point.portal.call(one.point.end)

    def clear(self) -> None:
        """Forget what is armed, where the links are healed anyway."""
        with self._lock:
            self._armed.clear()

    def _link_of(self, kind: SeamKind) -> str | None:
        return next((link for link in self._lab.links if link.endswith(f" to {kind.receiver}")), None)
