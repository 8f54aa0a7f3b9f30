"""Orders from another terminal to a running stack: files in a folder of its data folder.

A command puts `ID.order` there and waits for `ID.answer`. The supervisor looks now and then, removes each order before
it carries it out, and answers with a line. It holds the folder, which exists only while it takes orders: that of a
supervisor that was killed is held by nobody.
"""

import contextlib
import json
import math
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from todo_stack.checks import comes_true
from todo_stack.data_folder import locked
from todo_stack.errors import StackError
from todo_stack.files import write_whole
from todo_stack.twins import SERVERS

_FOLDER = "orders"


@dataclass(frozen=True)
class Order:
    """Something that the supervisor is asked to do with one server."""

    verb: str
    name: str
    file: Path

    def done(self, text: str) -> None:
        """Answer that it is done."""
        self._answer("done", text)

    def refused(self, text: str) -> None:
        """Answer that it cannot be done, and why."""
        self._answer("refused", text)

    def _answer(self, how: str, text: str) -> None:
        # A full disk is no reason for the servers to go down.
        with contextlib.suppress(OSError):
            write_whole(self.file.with_suffix(".answer"), json.dumps([how, text]).encode())


@contextlib.contextmanager
def inbox(data: Path) -> Iterator[Path]:
    """Make the folder for orders to the stack on this data folder, which the caller holds; forget earlier orders."""
    folder, new = data / _FOLDER, data / f"{_FOLDER}.new"
    for old in (folder, new):
        shutil.rmtree(old, ignore_errors=True)
    new.mkdir()
    try:
        with locked(new):
            # Only now: nobody is to find it before it is held.
            new.rename(folder)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def take(folder: Path) -> Iterator[Order]:
    """Yield the orders that have come; each comes once."""
    for file in sorted(folder.glob("*.order")):
        try:
            verb, name = json.loads(file.read_bytes())
            file.unlink()
        except (FileNotFoundError, ValueError):
            continue  # Nobody waits for it any more, or it is no order.
        yield Order(verb, name, file)


def give(data: Path, verb: str, name: str) -> str:
    """Order the stack on this data folder to do something with a server; return its answer when that is done."""
    folder = data / _FOLDER
    if not _is_held(folder):
        if _is_held(data):
            raise StackError(f"the stack on {data} is not up: its terminal says when it is, or that it stops")
        raise StackError(f"no stack is up on {data}: type make up. WHAT is then one of {', '.join(SERVERS)}")
    order = folder / f"{time.time_ns()}-{uuid.uuid4().hex[:8]}.order"
    answer = order.with_suffix(".answer")
    try:
        write_whole(order, json.dumps([verb, name]).encode())
        comes_true(lambda: answer.exists() or not _is_held(folder), math.inf)
        how, text = json.loads(answer.read_bytes())
    except FileNotFoundError:
        raise StackError(f"the stack on {data} ended meanwhile") from None
    finally:
        # With Ctrl-C too: nobody waits for it any more.
        order.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)
    if how != "done":
        raise StackError(text)
    return str(text)


def _is_held(folder: Path) -> bool:
    # Holding it for a moment would make the file in a folder that is not ours.
    if not (folder / "lock").exists():
        return False
    try:
        with locked(folder):
            return False
    except FileNotFoundError:
        return False
    except StackError:
        return True
