"""What there is to know of a socket, or of a selector, without reading from it."""

import select


def has_news(file: int, milliseconds: int = 0) -> bool:
    """Return whether something has arrived, be it the end, or does so within this time.

    The file is the number of a socket, or of a selector: there something has arrived on what is registered in it.
    Raises ValueError: its number is that of none.
    """
    # Not select(), which knows no numbers above 1,023.
    sockets = select.poll()
    sockets.register(file, select.POLLIN)
    return bool(sockets.poll(milliseconds))
