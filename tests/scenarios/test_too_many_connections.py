"""What happens to a write when a server may open no more files?

A connection is an open file, and a process may have so many of them: 256 in a shell of macOS. More clients than that
are enough to use them up, and they need not even ask for anything.
"""

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil

from tests.faultlab.laboratory import Laboratory
from tests.scenarios.changed import changed
from tests.scenarios.conftest import only_restate
from tests.support import burst
from tests.support.history import Verdict
from tests.support.user import add, new_name, verdict_on
from tests.support.waiting import until
from todo_stack import tree
from todo_stack.ports import HOST
from todo_stack.process import Server
from todo_stack.twins import RESTATE

FILES = 256
CLIENTS = 300


@contextlib.contextmanager
def few_files(server: Server) -> Iterator[None]:
    """Let a server have so few open files."""
    with changed(server, command=["sh", "-c", f'ulimit -n {FILES} && exec "$@"', "sh", *server.command]):
        yield


@contextlib.contextmanager
def idle_clients(port: int) -> Iterator[None]:
    """Connect more clients than the server may open files; they say nothing. What refuses one is gone already."""
    with contextlib.ExitStack() as connected, contextlib.suppress(ConnectionError):
        with contextlib.suppress(ConnectionError):
            for _ in range(CLIENTS):
                connected.enter_context(socket.create_connection((HOST, port)))
        yield


def accepted(server: Server, port: int) -> int:
    """Return how many connections to this port the processes of a server have."""
    connections = [each for process in tree.family(server.pid or 0) for each in process.net_connections("tcp")]
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in connections)


def test_open_files_of_the_web(lab: Laboratory, meanwhile: ThreadPoolExecutor) -> None:
    """Whoever comes then waits until others have left, and is served, in both twins; no process ends of it."""
    web, task = lab.stack.servers[lab.which.title], new_name("milk")
    with few_files(web):
        processes = tree.family(web.pid or 0)
        port = lab.stack.ports.web(lab.which)
        with idle_clients(port):
            adding = meanwhile.submit(add, lab.twin, task)
            until(lambda: accepted(web, port) == FILES / 2, "the web accepts no more connections")
            assert lab.twin.tasks(task) == []
        added = adding.result()
        assert tree.family(web.pid or 0) == processes
    assert verdict_on(lab.twin, added) is Verdict.EXACTLY_ONCE


@only_restate
def test_open_files_of_the_service(lab: Laboratory) -> None:
    """What lacks a connection to the database is tried again; when the clients have left, all of it is done, once."""
    service = lab.stack.servers[RESTATE.writer]
    work = burst.adds(lab.twin, 2 * burst.CLIENTS)
    with few_files(service):
        work.part(0, 1).run()
        with idle_clients(lab.stack.ports.restate_service):
            until(lambda: psutil.Process(service.pid).num_fds() == FILES, "the service has no file left")
            work.part(1).run()
        assert work.verdicts() == {Verdict.EXACTLY_ONCE: len(work.operations)}


@only_restate
def test_open_files_of_the_restate_server(lab: Laboratory) -> None:
    """It ends: a write is refused until somebody starts it again, and what it has done before is known then."""
    restate = lab.stack.servers["restate"]
    with few_files(restate):
        done = add(lab.twin, new_name("bread"))
        with idle_clients(lab.stack.ports.restate_ingress):
            until(lambda: not restate.running, "the Restate server ends")
        refused = add(lab.twin, new_name("milk"))
    assert (refused.detail, verdict_on(lab.twin, refused)) == ("503", Verdict.REFUSED)

    for operation in (done, refused):
        again = add(lab.twin, operation.marker, operation.key)
        assert verdict_on(lab.twin, again) is Verdict.EXACTLY_ONCE
