"""What PostgreSQL statements say: text, bound values, and which transaction mentions what."""

from __future__ import annotations

import re
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from .messages import Marker, as_bytes

_BOOL, _TEXT, _UUID = 16, (0, 19, 25, 1042, 1043, 114), 2950
_INTEGER = (20, 21, 23, 26)

_COMMIT = re.compile(r"(COMMIT|END)(\s+(WORK|TRANSACTION))?(\s+AND\s+(NO\s+)?CHAIN)?", re.IGNORECASE)
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_KEPT = 1000  # statements remembered of one transaction
_SHOWN = 80  # characters of a statement that a label shows


@dataclass(frozen=True, slots=True)
class Executed:
    """A statement as it was run: its SQL and its bound values."""

    text: str
    parameters: tuple[str | bytes | None, ...]

    def mentions(self, marker: Marker) -> bool:
        """Whether the marker occurs: text anywhere, a number only as a value of its own (and not as `$7`)."""
        if isinstance(marker, int):
            whole = rf"(?<![\w$.]){marker}(?![\w.])"
            return str(marker) in self.parameters or re.search(whole, self.text) is not None
        wanted = as_bytes(marker)
        values = (value.encode() if isinstance(value, str) else value for value in (self.text, *self.parameters))
        return any(wanted in value for value in values if value is not None)


@dataclass(slots=True)
class Transaction:
    """The statements of one transaction so far. A statement run on its own is a transaction of one."""

    statements: list[Executed] = field(default_factory=list)
    failed: bool = False

    def add(self, executed: Executed) -> None:
        """Take note of the next statement."""
        if len(self.statements) < _KEPT:
            self.statements.append(executed)

    def mentions(self, marker: Marker) -> bool:
        """Whether the marker occurs in any of its statements or their values."""
        return any(executed.mentions(marker) for executed in self.statements)


def is_commit(text: str) -> bool:
    """Whether the SQL ends a transaction by committing it, possibly as the last of several statements."""
    parts = [part.strip() for part in _COMMENT.sub(" ", text).split(";")]
    return any(_COMMIT.fullmatch(part) for part in parts)


def one_line(text: str) -> str:
    """Return the statement as a label."""
    line = " ".join(_COMMENT.sub(" ", text).split())
    if not line.strip("; "):
        return "empty statement"  # how a pool asks whether its connection still lives
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def read_parse(frame: bytes) -> tuple[str, str, tuple[int, ...]]:
    """Return name, SQL and the types (OIDs) of the parameters of a Parse message."""
    name, text, rest = frame[5:].split(b"\0", 2)
    (count,) = struct.unpack_from(">H", rest)
    return name.decode(), text.decode(errors="replace"), struct.unpack_from(f">{count}I", rest, 2)


def read_bind(frame: bytes, prepared: Mapping[str, tuple[str, tuple[int, ...]]]) -> tuple[str, Executed]:
    """Return the portal and the statement with its values of a Bind message."""
    portal, name, rest = frame[5:].split(b"\0", 2)
    text, types = prepared.get(name.decode(), ("", ()))
    (count,) = struct.unpack_from(">H", rest)
    formats = struct.unpack_from(f">{count}H", rest, 2)
    (values,) = struct.unpack_from(">H", rest, 2 + 2 * count)
    at = 4 + 2 * count
    parameters: list[str | bytes | None] = []
    for number in range(values):
        (length,) = struct.unpack_from(">i", rest, at)
        at += 4
        if length < 0:
            parameters.append(None)
            continue
        # One format stands for all parameters, none for text.
        binary = bool(formats[number] if count > 1 else formats[0] if count else 0)
        parameters.append(_value(rest[at : at + length], binary, types[number] if number < len(types) else 0))
        at += length
    return portal.decode(), Executed(text, tuple(parameters))


def read_error(frame: bytes) -> tuple[str, str]:
    """Return SQLSTATE and message of an ErrorResponse."""
    fields = {part[:1]: part[1:].decode(errors="replace") for part in frame[5:].split(b"\0") if part}
    return fields.get(b"C", ""), fields.get(b"M", "")


def _value(value: bytes, binary: bool, oid: int) -> str | bytes:
    if not binary or oid in _TEXT:
        return value.decode(errors="replace")
    if oid in _INTEGER:
        return str(int.from_bytes(value, signed=True))
    if oid == _UUID:
        return str(uuid.UUID(bytes=value))
    if oid == _BOOL:
        return "true" if value == b"\1" else "false"
    return value
