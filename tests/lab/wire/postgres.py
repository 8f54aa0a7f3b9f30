"""PostgreSQL's protocol, version 3: statements with their transaction, and the server's replies to them.

Source: the chapter "Frontend/Backend Protocol" of the PostgreSQL documentation.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from .messages import Direction, Marker, Message, NotUnderstoodError, Protocol, begins_with
from .postgres_statements import Executed, Transaction, is_commit, one_line, read_bind, read_error, read_parse

_LIMIT = 1024 * 1024  # bytes of a reply that are kept together; what is longer passes in parts
_CANCEL, _ENCRYPTED = 80877102, (80877103, 80877104)  # in place of a version: cancel; TLS and GSSAPI

# What the server sends when it has done what the client's message asked for.
_DONE = {b"P": b"1", b"B": b"2", b"C": b"3", b"D": b"Tn", b"E": b"CIs", b"S": b"Z", b"Q": b"Z"}
_SYNCHRONISING = b"SQ"


@dataclass(slots=True, kw_only=True, eq=False)
class PostgresStatement(Message):
    """One statement on its way to the server, with all messages that belong to it (Query, or Parse to Sync).

    `transaction` holds this statement and all before it in the same transaction, with their parameters.
    """

    executed: Executed
    transaction: Transaction
    commits: bool = False

    @property
    def text(self) -> str:
        """The SQL, also when only its name was sent because it had been prepared."""
        return self.executed.text

    @property
    def parameters(self) -> tuple[str | bytes | None, ...]:
        """The bound values as text, or as bytes where their type is not known here."""
        return self.executed.parameters

    def is_called(self, name: str) -> bool:
        """By its first words; COMMIT is one that can succeed, not one that ends a failed transaction."""
        return self.commits if name.upper() == "COMMIT" else begins_with(self.name, name)

    def mentions(self, marker: Marker) -> bool:
        """Whether the marker occurs in the transaction so far, a number as a whole number only."""
        return self.transaction.mentions(marker)


@dataclass(slots=True, kw_only=True, eq=False)
class PostgresReply(Message):
    """All that the server answers to one statement, as one piece: up to CommandComplete and ReadyForQuery.

    `tag` is the server's own account (`COMMIT`, `INSERT 0 1`), `error` its SQLSTATE and message, `status` I (idle),
    T (in a transaction) or E (in a failed one).
    """

    statement: PostgresStatement | None = None
    tag: str = ""
    error: tuple[str, str] | None = None
    status: str = ""

    def is_called(self, name: str) -> bool:
        """By the statement that it answers; COMMIT is the news that a commit has succeeded."""
        if name.upper() == "COMMIT":
            return self.statement is not None and self.statement.commits and self.tag == "COMMIT"
        return self.statement is not None and begins_with(self.statement.name, name)

    def mentions(self, marker: Marker) -> bool:
        """Whether the marker occurs in the transaction that the statement belongs to."""
        return self.statement is not None and self.statement.transaction.mentions(marker)


@dataclass(slots=True)
class _Batch:
    """The client's messages for one statement, until it is complete."""

    frames: list[bytes] = field(default_factory=list)
    executed: Executed | None = None
    runs: bool = False


@dataclass(slots=True)
class _Expected:
    """One of the client's messages that the server has not answered."""

    kind: bytes
    statement: PostgresStatement | None
    last: bool


class PostgresProtocol(Protocol):
    """Follows one connection: prepared statements, portals, the current transaction, and who is to be answered."""

    def __init__(self) -> None:
        self._buffers = {direction: bytearray() for direction in Direction}
        self._started = False
        self._encryption_asked = 0
        self._prepared: dict[str, tuple[str, tuple[int, ...]]] = {}
        self._portals: dict[str, Executed] = {}
        self._transaction: Transaction | None = None
        self._batch = _Batch()
        self._expected: deque[_Expected] = deque()
        self._skipping = False
        self._reply = PostgresReply(raw=b"", direction=Direction.TO_CLIENT)
        self._parts = bytearray()

    def feed(self, direction: Direction, data: bytes) -> Iterator[Message]:
        """Yield statements toward the server, replies toward the client, and the rest as it comes."""
        buffer = self._buffers[direction]
        buffer += data
        if direction is Direction.TO_SERVER:
            while not self._started and (frame := _cut(buffer, 0)):
                yield self._start_up(frame)
            while self._started and (frame := _cut(buffer, 1)):
                yield from self._from_client(frame)
        else:
            while self._encryption_asked and buffer:
                self._encryption_asked -= 1
                yield self._encryption_answer(bytes(buffer[:1]))
                del buffer[:1]
            while frame := _cut(buffer, 1):
                yield from self._from_server(frame)

    def finish(self, direction: Direction) -> Iterator[Message]:
        """Yield what the sender left unfinished."""
        batch = b"".join(self._batch.frames) if direction is Direction.TO_SERVER else bytes(self._parts)
        if rest := batch + bytes(self._buffers[direction]):
            yield Message(raw=rest, direction=direction)

    def _start_up(self, frame: bytes) -> Message:
        (code,) = struct.unpack_from(">I", frame, 4)
        if code in _ENCRYPTED:
            self._encryption_asked += 1
        else:
            self._started = True
        name = {_CANCEL: "cancel request"}.get(code, "" if code in _ENCRYPTED else "start-up")
        return Message(raw=frame, direction=Direction.TO_SERVER, name=name)

    def _encryption_answer(self, answer: bytes) -> Message:
        if answer != b"N":
            raise NotUnderstoodError("the connection is encrypted; connect with sslmode=disable")
        return Message(raw=answer, direction=Direction.TO_CLIENT)

    def _from_client(self, frame: bytes) -> Iterator[Message]:
        kind, batch = frame[:1], self._batch
        if batch.runs and kind in b"PBDC":  # the next statement of a pipeline
            yield self._close_batch()
            batch = self._batch
        if kind not in b"PBDCEHSQ":
            if batch.frames:
                yield self._close_batch()
            yield Message(raw=frame, direction=Direction.TO_SERVER, name="goodbye" if kind == b"X" else "")
            return
        batch.frames.append(frame)
        if kind == b"Q":
            batch.executed, batch.runs = Executed(frame[5:-1].decode(errors="replace"), ()), True
        elif kind == b"P":
            name, text, types = read_parse(frame)
            self._prepared[name] = text, types
            batch.executed = Executed(text, ())
        elif kind == b"B":
            portal, executed = read_bind(frame, self._prepared)
            self._portals[portal] = batch.executed = executed
        elif kind == b"E":
            portal = frame[5 : frame.index(0, 5)].decode()
            batch.executed, batch.runs = self._portals.get(portal, batch.executed), True
        if kind in b"SQH":
            yield self._close_batch()

    def _close_batch(self) -> Message:
        batch, self._batch = self._batch, _Batch()
        raw, statement = b"".join(batch.frames), None
        message = Message(raw=raw, direction=Direction.TO_SERVER)
        if batch.runs and batch.executed is not None:
            transaction = self._transaction = self._transaction or Transaction()
            transaction.add(batch.executed)
            message = statement = PostgresStatement(
                raw=raw,
                direction=Direction.TO_SERVER,
                name=one_line(batch.executed.text),
                executed=batch.executed,
                transaction=transaction,
                commits=is_commit(batch.executed.text) and not transaction.failed,
            )
        elif batch.executed is not None:
            message.name = f"prepare {one_line(batch.executed.text)}"
        kinds = [kind for frame in batch.frames if (kind := frame[:1]) != b"H"]
        for number, kind in enumerate(kinds, 1):
            if self._skipping and kind not in _SYNCHRONISING:
                continue  # after an error the server ignores everything up to the next Sync
            self._skipping = False
            self._expected.append(_Expected(kind, statement, number == len(kinds)))
        return message

    def _from_server(self, frame: bytes) -> Iterator[Message]:
        kind, reply = frame[:1], self._reply
        self._parts += frame
        done = not self._expected  # start-up, or news that nobody asked for
        if kind == b"C":
            reply.tag = frame[5:-1].decode()
        elif kind == b"Z":
            reply.status = frame[5:6].decode()
        elif kind == b"E":
            reply.error = read_error(frame)
            reply.statement = reply.statement or (self._expected[0].statement if self._expected else None)
            while self._expected and self._expected[0].kind not in _SYNCHRONISING:
                self._expected.popleft()
            self._skipping = done = not self._expected
        if self._expected and kind in _DONE[self._expected[0].kind]:
            expected = self._expected.popleft()
            reply.statement = reply.statement or expected.statement
            done = expected.last
        if done:
            yield self._close_reply()
        elif kind in b"GW" or len(self._parts) > _LIMIT:  # the server waits for the client's data, or says too much
            yield Message(raw=bytes(self._parts), direction=Direction.TO_CLIENT)
            self._parts.clear()

    def _close_reply(self) -> Message:
        reply, self._reply = self._reply, PostgresReply(raw=b"", direction=Direction.TO_CLIENT)
        reply.raw = bytes(self._parts)
        self._parts.clear()
        reply.name = f"{reply.error[0]} {reply.error[1]}" if reply.error else reply.tag
        if reply.status and reply.statement is not None and self._transaction is reply.statement.transaction:
            self._transaction.failed = reply.status == "E"
            if reply.status == "I":
                self._transaction = None
        return reply


def _cut(buffer: bytearray, at: int) -> bytes:
    """Take the first complete message off the buffer; its length stands `at` this place."""
    if len(buffer) < at + 4:
        return b""
    (length,) = struct.unpack_from(">I", buffer, at)
    if length < 4 or (at == 0 and length > 64 * 1024):
        raise NotUnderstoodError("this is not PostgreSQL's protocol, or it is encrypted")
    if len(buffer) < at + length:
        return b""
    frame = bytes(buffer[: at + length])
    del buffer[: at + length]
    return frame
