"""Tells whose message passes, when many operations pass at the same time."""

import re
from collections.abc import Iterable

from tests.faultlab.wire.messages import Message
from tests.support.history import ClientOperation

_NAMES = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|(?<!\d)7\d{8}(?!\d)")
"""UUIDs with and without dashes, and the ids of todos in a laboratory."""


class Traces:
    """Knows operations by their key, their todo or its task, and by each UUID in a message of theirs.

    So a statement with the id of a payment is known to belong to the request that has begun that payment. It is used
    on the thread of the wire, where each message comes by once.
    """

    def __init__(self, operations: Iterable[ClientOperation]) -> None:
        self._owners: dict[bytes, str] = {}
        self._last: tuple[Message | None, frozenset[str]] = (None, frozenset())
        for operation in operations:
            self.add(operation)

    def add(self, operation: ClientOperation) -> None:
        """Know one more operation."""
        known = f"{operation.key} {operation.todo_id} {operation.marker}"
        self._owners |= dict.fromkeys(_NAMES.findall(known.encode()), operation.key)

    def owners(self, message: Message) -> frozenset[str]:
        """Return the keys of the operations that a message belongs to: of one, or of several that share it."""
        last, owners = self._last
        if message is not last:
            names = {*_NAMES.findall(message.context())}
            owners = frozenset(owner for name in names if (owner := self._owners.get(name)))
            if len(owners) == 1:
                self._owners |= dict.fromkeys([name for name in names if name not in self._owners], *owners)
            self._last = (message, owners)
        return owners
