"""PostgreSQL's protocol, version 3: statements with their transaction, and the server's answers to them.

Source: the chapter "Frontend/Backend Protocol" of the PostgreSQL documentation. Of its two ways to send a statement
this is the simple one (Query), which psycopg2 speaks: the values are in the SQL, and each statement is one message.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from .messages import Direction, Marker, Message, NotUnderstoodError, WireProtocol, begins_with
from .postgres_statements import StatementText, Transaction, read_error

_LIMIT = 1024 * 1024  # bytes of a answer that are kept together; what is longer passes in parts
_CANCEL, _ENCRYPTED = 80877102, (80877103, 80877104)  # in place of a version: cancel; TLS and GSSAPI

_OTHERS = {b"X": "goodbye", b"p": "", b"d": "", b"c": "", b"f": ""}  # and passwords, and COPY


@dataclass(slots=True, kw_only=True, eq=False)
class PostgresStatement(Message):
    """One statement on its way to the server.

    `transaction` holds this statement and all before it in the same transaction.
    """

    text: StatementText
    transaction: Transaction
    commits: bool

    def is_called(self, name: str) -> bool:
        """By its first words; COMMIT is one that can succeed, not one that ends a failed transaction."""
        return self.commits if name.upper() == "COMMIT" else begins_with(self.name, name)

    def mentions(self, marker: Marker) -> bool:
        """Whether the marker occurs in the transaction so far, a number as a whole number only."""
        return self.transaction.mentions(marker)


@dataclass(slots=True, kw_only=True, eq=False)
class PostgresAnswer(Message):
    """All that the server answers to one statement, as one piece: up to ReadyForQuery.

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


class PostgresProtocol(WireProtocol):
    """Follows one connection: the current transaction, and which statements are to be answered."""

    def __init__(self) -> None:
        self._buffers = {direction: bytearray() for direction in Direction}
        self._started = False
        self._encryption_asked = 0
        self._transaction: Transaction | None = None
        self._unanswered: deque[PostgresStatement] = deque()
        self._answer = PostgresAnswer(raw=b"", direction=Direction.TO_CLIENT)
        self._parts = bytearray()

    def feed(self, direction: Direction, data: bytes) -> Iterator[Message]:
        """Yield statements toward the server, answers toward the client, and the rest as it comes."""
        buffer = self._buffers[direction]
        buffer += data
        if direction is Direction.TO_SERVER:
            while not self._started and (frame := _cut(buffer, 0)):
                yield self._start_up(frame)
            while self._started and (frame := _cut(buffer, 1)):
                yield self._from_client(frame)
        else:
            while self._encryption_asked and buffer:
                self._encryption_asked -= 1
                if buffer[:1] != b"N":
                    raise NotUnderstoodError("the connection is encrypted; connect with sslmode=disable")
                yield Message(raw=b"N", direction=direction)
                del buffer[:1]
            while frame := _cut(buffer, 1):
                yield from self._from_server(frame)

    def finish(self, direction: Direction) -> Iterator[Message]:
        """Yield what the sender left unfinished."""
        kept = self._parts if direction is Direction.TO_CLIENT else b""
        if rest := bytes(kept + self._buffers[direction]):
            yield Message(raw=rest, direction=direction)

    def _start_up(self, frame: bytes) -> Message:
        (code,) = struct.unpack_from(">I", frame, 4)
        if code in _ENCRYPTED:
            self._encryption_asked += 1
        else:
            self._started = True
        name = {_CANCEL: "cancel request"}.get(code, "" if code in _ENCRYPTED else "start-up")
        return Message(raw=frame, direction=Direction.TO_SERVER, name=name)

    def _from_client(self, frame: bytes) -> Message:
        kind = frame[:1]
        if kind in _OTHERS:
            return Message(raw=frame, direction=Direction.TO_SERVER, name=_OTHERS[kind])
        if kind != b"Q":
            raise NotUnderstoodError("the client speaks PostgreSQL's extended protocol, which is not read here")
        text = StatementText(frame[5:-1].decode(errors="replace"))
        transaction = self._transaction = self._transaction or Transaction()
        transaction.add(text)
        statement = PostgresStatement(
            raw=frame,
            direction=Direction.TO_SERVER,
            name=text.label,
            text=text,
            transaction=transaction,
            commits=text.commits and not transaction.failed,
        )
        self._unanswered.append(statement)
        return statement

    def _from_server(self, frame: bytes) -> Iterator[Message]:
        kind, answer = frame[:1], self._answer
        self._parts += frame
        done = not self._unanswered  # start-up, or news that nobody asked for
        if kind == b"C":
            answer.tag = frame[5:-1].decode()
        elif kind == b"E":
            answer.error = read_error(frame)
        elif kind == b"Z":
            answer.status = frame[5:6].decode()
            if self._unanswered:
                answer.statement = self._unanswered.popleft()
                done = True
        if done:
            yield self._close_answer()
        elif kind in b"GW" or len(self._parts) > _LIMIT:  # the server waits for the client's data, or says too much
            yield Message(raw=bytes(self._parts), direction=Direction.TO_CLIENT)
            self._parts.clear()

    def _close_answer(self) -> Message:
        answer, self._answer = self._answer, PostgresAnswer(raw=b"", direction=Direction.TO_CLIENT)
        answer.raw = bytes(self._parts)
        self._parts.clear()
        answer.name = f"{answer.error[0]} {answer.error[1]}" if answer.error else answer.tag
        if answer.statement is not None and self._transaction is answer.statement.transaction:
            self._transaction.failed = answer.status == "E"
            if answer.status == "I":
                self._transaction = None
        return answer


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
