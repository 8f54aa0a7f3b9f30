"""What ends a start: whatever cannot do its work raises StackError, and what waits may raise StopRequested."""

from collections.abc import Sequence


class StackError(Exception):
    """Something is in the way: the message is one clear line, `log` the last lines of the process meant."""

    def __init__(self, message: str, log: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log = list(log)
        if self.log:
            # A note is shown under the message in tracebacks and by pytest, and stays out of the one line.
            self.add_note("\n".join(self.log))


class StopRequested(Exception):  # noqa: N818 (it is no error)
    """Somebody asked to stop while something was being waited for."""
