"""The servers of one twin: killed, frozen, stopped and started, and what each is at the moment."""

import threading
from collections.abc import Callable

import psutil

from tests.faultlab.laboratory import OUTSIDE, Laboratory, outside_link
from tests.faultlab.live.arms import NotNowError
from tests.support.waiting import until
from todo_stack.errors import StackError

DEEDS = ("kill", "freeze", "stop", "start")

RUNS, FROZEN, DOWN = "runs", "is frozen", "is down"


def state_of(pid: int | None) -> str:
    """Say whether a process runs, is frozen, or is down."""
    if pid is None:
        return DOWN
    try:
        status = psutil.Process(pid).status()
        return {psutil.STATUS_STOPPED: FROZEN, psutil.STATUS_ZOMBIE: DOWN}.get(status, RUNS)
    except psutil.NoSuchProcess:
        return DOWN


class Servers:
    """Those of a laboratory that runs, by the names that the seams have for them. One deed at a time."""

    def __init__(self, lab: Laboratory, note: Callable[[str, str, str], None]) -> None:
        """Take the laboratory; `note` is told of each deed: its kind, in words, and the server."""
        self._lab, self._note = lab, note
        self._one_deed_at_a_time = threading.RLock()

    def states(self) -> dict[str, str]:
        """Return what each is at the moment."""
        return {name: state_of(self._lab.server(name).pid) for name in self._lab.processes}

    def do(self, name: str, deed: str) -> None:
        """Kill, freeze, stop or start one; raise NotNowError where that makes no sense."""
        if name not in self._lab.processes:
            raise NotNowError(f"{self._lab.which.title} has no {name}")
        with self._one_deed_at_a_time:
            if deed == "start":
                self._start(name)
            else:
                self._break(name, deed)

    def start_all(self) -> None:
        """Start what does not run."""
        with self._one_deed_at_a_time:
            for name in self._lab.processes:
                self._start(name)

    def _break(self, name: str, deed: str) -> None:
        server = self._lab.server(name)
        if not server.running:
            raise NotNowError(f"the {name} does not run")
        self._note("fault", f"{deed} {name}", name)
        if deed == "freeze":
            server.pause()
            # The signal is sent, and takes effect a moment later: who starts it before would find that it runs.
            until(lambda: state_of(server.pid) != RUNS, f"{name} to be frozen")
            return
        server.resume()
        {"kill": server.kill, "stop": server.stop}[deed]()
        if name == OUTSIDE:
            # The proxy would accept connections to nobody; who calls a dead server is refused.
            self._lab.links[outside_link(self._lab.which)].refuse()

    def _start(self, name: str) -> None:
        server = self._lab.server(name)
        state = state_of(server.pid)
        if state == RUNS:
            return
        if name == OUTSIDE:
            self._lab.links[outside_link(self._lab.which)].heal()
        server.resume()
        if state == DOWN:
            try:
                server.start()
            except StackError as error:
                raise NotNowError(str(error)) from error
        self._note("heal", f"{name} {'goes on' if state == FROZEN else 'started again'}", name)
