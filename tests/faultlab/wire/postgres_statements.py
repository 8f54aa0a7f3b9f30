"""What PostgreSQL statements say: text, the values written into it, and which transaction mentions what."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field

from .messages import Marker, as_bytes

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

    def add(self, text: StatementText) -> None:
        """Keep the next statement."""
        if len(self.statements) < _KEPT:
            self.statements.append(text)

    def mentions(self, marker: Marker) -> bool:
        """Whether the marker occurs in any of its statements."""
        return any(text.mentions(marker) for text in self.statements)


def read_error(frame: bytes) -> tuple[str, str]:
    """Return SQLSTATE and message of an ErrorResponse."""
    fields = {part[:1]: part[1:].decode(errors="replace") for part in frame[5:].split(b"\0") if part}
    return fields.get(b"C", ""), fields.get(b"M", "")


def _unescaped(text: str) -> str:
    """Undo what E'...' does to the characters that clients escape."""
    return _ESCAPE.sub(lambda found: _CONTROL.get(found[1], found[1]) if found[1] else "'", text)
