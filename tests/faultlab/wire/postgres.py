"""PostgreSQL's protocol, version 3: statements with their transaction, and the server's answers to them.

Source: the chapter "Frontend/Backend Protocol" of the PostgreSQL documentation. Of its two ways to send a statement
this is the simple one (Query), which psycopg2 speaks: the values are in the SQL, and each statement is one message.
"""

from __future__ import annotations

import functools
import re
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from .messages import Direction, Marker, Message, NotUnderstoodError, WireProtocol, as_bytes, begins_with

_LIMIT = 1024 * 1024  # bytes of an answer that are kept together; what is longer passes in parts
_CANCEL, _ENCRYPTED = 80877102, (80877103, 80877104)  # in place of a version: cancel; TLS and GSSAPI

_OTHERS = {b"X": "goodbye", b"p": "", b"d": "", b"c": "", b"f": ""}  # and passwords, and COPY

_NO_CODE = re.compile(
    r"""
      (?P<comment> /\*.*?\*/ | --[^\n]* )
    | (?<!\w) E ' (?P<escaped> [^'\\]* (?: (?: '' | \\. ) [^'\\]* )* ) '
    | ' (?P<plain> [^']* (?: '' [^']* )* ) '
    | " [^"]* "
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
"""What a statement holds besides its code: comments, strings, quoted names. (No client of ours quotes with dollars.)"""

_ESCAPE = re.compile(r"''|\\(.)", re.DOTALL)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_COMMIT = re.compile(r"(COMMIT|END)(\s+(WORK|TRANSACTION))?(\s+AND\s+(NO\s+)?CHAIN)?", re.IGNORECASE)
_KEPT = 1000  # statements remembered of one transaction
_SHOWN = 80  # characters of a statement that a label shows


@dataclass(frozen=True)
class StatementText:
    """A statement as it was sent, with its values in it."""

    text: str

    @functools.cached_property
    def code(self) -> str:
        """The SQL with nothing in its strings and quoted names, and without comments."""
        return _NO_CODE.sub(lambda found: " " if found["comment"] else "''", self.text)

    @functools.cached_property
    def strings(self) -> tuple[str, ...]:
        """The values of its string constants, as they were before they were quoted."""
        return tuple(
            found["plain"].replace("''", "'") if found["escaped"] is None else _unescaped(found["escaped"])
            for found in _NO_CODE.finditer(self.text)
            if found["plain"] is not None or found["escaped"] is not None
        )

    @property
    def commits(self) -> bool:
        """Whether it ends a transaction by committing it, possibly as the last of several statements."""
        return any(_COMMIT.fullmatch(part.strip()) for part in self.code.split(";"))

    @property
    def label(self) -> str:
        """The statement in one line that is not too long."""
        line = " ".join(_NO_CODE.sub(lambda found: " " if found["comment"] else found[0], self.text).split())
        if not line.strip("; "):
            return "empty statement"  # how a pool asks whether its connection is still alive
        return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"

    def mentions(self, marker: Marker) -> bool:
        """Whether the marker occurs: text anywhere, a number only as a value of its own."""
        if isinstance(marker, int):
            whole = rf"(?<![\w$.]){marker}(?![\w.])"
            return str(marker) in self.strings or re.search(whole, self.code) is not None
        wanted = as_bytes(marker)
        return any(wanted in text.encode() for text in (self.text, *self.strings))


@dataclass(slots=True)
class Transaction:
    """The statements of one transaction so far. A statement run on its own is a transaction of one."""

    statements: list[StatementText] = field(default_factory=list)
    failed: bool = False


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
        return any(text.mentions(marker) for text in self.transaction.statements)

    def context(self) -> bytes:
        """Return the transaction so far."""
        return "\n".join(statement.text for statement in self.transaction.statements).encode()


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
        return self.statement is not None and self.statement.mentions(marker)

    def context(self) -> bytes:
        """Return the transaction that the statement belongs to, and this."""
        return (self.statement.context() if self.statement else b"") + self.raw


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
        if len(transaction.statements) < _KEPT:
            transaction.statements.append(text)
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
            fields = {part[:1]: part[1:].decode(errors="replace") for part in frame[5:].split(b"\0") if part}
            answer.error = fields.get(b"C", ""), fields.get(b"M", "")
        elif kind == b"Z":
            answer.status = frame[5:6].decode()
            if self._unanswered:
                answer.statement = self._unanswered.popleft()
                done = True
        if done:
            answer.raw = bytes(self._parts)
            answer.name = " ".join(answer.error) if answer.error else answer.tag
            if answer.statement and self._transaction is answer.statement.transaction:
                self._transaction.failed = answer.status == "E"
                if answer.status == "I":
                    self._transaction = None
            self._answer = PostgresAnswer(raw=b"", direction=Direction.TO_CLIENT)
            self._parts.clear()
            yield answer
        elif kind in b"GW" or len(self._parts) > _LIMIT:  # the server waits for the client's data, or says too much
            yield Message(raw=bytes(self._parts), direction=Direction.TO_CLIENT)
            self._parts.clear()


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


def _unescaped(text: str) -> str:
    """Undo what E'...' does to the characters that clients escape."""
    return _ESCAPE.sub(lambda found: _CONTROL.get(found[1], found[1]) if found[1] else "'", text)
