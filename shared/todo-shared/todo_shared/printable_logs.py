"""Log lines without control characters: in a terminal, what a client sends could otherwise give orders."""

import logging
import re

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Return the text with its control characters, but for line breaks, shown by their numbers."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


class PrintableRecord(logging.LogRecord):
    """A record whose message and traceback are text."""

    _exc_text: str | None = None

    def getMessage(self) -> str:  # noqa: N802 - logging's name
        """Return the message; its further lines are indented, so that none looks like a record of its own."""
        return printable(super().getMessage()).replace("\n", "\n    ")

    @property
    def exc_text(self) -> str | None:
        """The traceback."""
        return self._exc_text

    @exc_text.setter
    def exc_text(self, text: str | None) -> None:
        self._exc_text = text and printable(text)


def install() -> None:
    """Let all loggers of this process make such records."""
    logging.setLogRecordFactory(PrintableRecord)
