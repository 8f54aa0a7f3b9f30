"""Keeps the servers of a running stack up, as `restart: unless-stopped` does in compose, and takes orders by name."""

import threading

from todo_stack.errors import StopRequested
from todo_stack.orders import Order, inbox
from todo_stack.output import Log
from todo_stack.stack import Stack
from todo_stack.watched import Watched

LOOK_SECONDS = 0.1
"""Between two looks at the servers and at the orders."""


class Supervisor:
    """Watches a stack that has been started. Everything happens in the thread of run(), one thing after another."""

    def __init__(self, stack: Stack, log: Log, cancelled: threading.Event) -> None:
        """Watch nothing yet; `log` takes what becomes of the servers, `cancelled` ends run()."""
        self._data = stack.data
        self._cancelled = cancelled
        self._watched = {name: Watched(server, stack.spawn, log) for name, server in stack.servers.items()}

    def run(self) -> None:
        """Start again what ends, and carry out orders, until that is cancelled.

        Raises:
            StackError: a server cannot stay up. The others still run.
            StopRequested: it was cancelled.

        """
        with inbox(self._data) as orders:
            while not self._cancelled.wait(LOOK_SECONDS):
                for watched in self._watched.values():
                    watched.look()
                for order in orders.take():
                    self._carry_out(order)
        raise StopRequested

    def _carry_out(self, order: Order) -> None:
        watched = self._watched.get(order.name)
        if watched is None:
            what = f"there is no server {order.name!r} in this stack" if order.name else "WHAT is missing"
            order.refused(f"{what}: it is one of {', '.join(self._watched)}")
        else:
            orders = {"kill": watched.kill, "stop": watched.stop, "pause": watched.pause, "start": watched.start}
            orders[order.verb](order)
