"""Log lines without control characters: in a terminal, what a client sends could otherwise give orders."""

import logging
import re

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return the text with its control characters, but for line breaks, shown by their numbers."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _indented(text: str) -> str:
    # So that no line but the first looks like a record of its own.
    return printable(text).replace("\n", "\n    ")


class PrintableRecord(logging.LogRecord):
    """A record whose message and traceback are text."""

    _exc_text: str | None = None

    def getMessage(self) -> str:  # noqa: N802 - logging's name
        """Return the message."""
        return _indented(super().getMessage())

    @property
    def exc_text(self) -> str | None:
        """The traceback."""
        return self._exc_text

    @exc_text.setter
    def exc_text(self, text: str | None) -> None:
        self._exc_text = text and _indented(text)
