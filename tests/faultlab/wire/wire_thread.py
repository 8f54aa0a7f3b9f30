"""The one background thread on which all links of a process run: the first starts it, the last ends it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from anyio.from_thread import BlockingPortal, BlockingPortalProvider

WIRE_THREAD = BlockingPortalProvider()

_SECONDS = 10.0  # nothing that a test asks of the wire waits for the outside world


class OnWireThread(Protocol):
    """Something that lives on the thread of the wire."""

    portal: BlockingPortal


S = TypeVar("S", bound=OnWireThread)
P = ParamSpec("P")
T = TypeVar("T")


def on_wire_thread(work: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[S, P], T]:
    """Make a method that any other thread may call: it does its work on the wire's thread and returns the result.

    Raises RuntimeError if the links are closed.
    """

    @functools.wraps(work)
    def call(self: S, /, *args: P.args, **options: P.kwargs) -> T:
        future: Future[T]
        try:
            future = self.portal.start_task_soon(functools.partial(work, self, *args, **options))
        except RuntimeError:
            raise RuntimeError("this link is closed") from None
        try:
            return future.result(_SECONDS)
        except BaseException:
            future.cancel()
            raise

    return call
