"""What there is to know of a socket without reading from it."""

import select


def has_news(file: int, milliseconds: int = 0) -> bool:
    """Return whether something has arrived, be it the end, or does so within this time."""
    # Not select(), which knows no numbers above 1,023.
    sockets = select.poll()
    sockets.register(file, select.POLLIN)
    return bool(sockets.poll(milliseconds))
