"""A cluster: any one node, service or web may go, all may be replaced one after the other, and writes go on."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faultlab.chaos.random_faults import ChaosSettings, InjectedFault
from tests.faultlab.chaos.run import run_under_load
from tests.faultlab.chaos.workload import Workload
from tests.faultlab.laboratory import Laboratory
from tests.support import restate_admin
from tests.support.burst import adds
from tests.support.history import Outcome
from tests.support.running_twin import RunningServer, RunningTwin
from tests.support.service_endpoint import command, service_endpoint
from tests.support.user import new_name
from tests.support.waiting import until
from todo_stack.ports import HOST, Ports
from todo_stack.size import Size, split
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE

SIZE = Size(nodes=3, services=2, webs=2)
WORKS_SECONDS = 60.0
ENOUGH = 20
"""So many operations that began after a fault, and succeeded, are no leftovers of what went on before it."""
CALLS, CLIENTS = 600, 32
LEAST_SHARE = 0.05
"""Of two processes on one port. It is by chance: a connection stays with the one that was first to take it, and between
a fifth and four fifths of the calls were seen. Where each call is balanced, as in containers, it is about a half."""
SEED = 1
# Few operations must succeed, because each fault waits for those that it needs.
SETTINGS = ChaosSettings(SEED, seconds=30, size=SIZE)


class Cluster:
    """A cluster under load, in which things are broken."""

    def __init__(
        self, lab: Laboratory, workload: Workload, injected: list[InjectedFault], at_end: contextlib.ExitStack
    ) -> None:
        """Take a laboratory in which clients are at work; `at_end` stops what is started beside it."""
        self.lab, self.at_end, self._workload, self._injected = lab, at_end, workload, injected
        self._began = time.monotonic()

    @contextlib.contextmanager
    def broken(self, kind: str, target: str) -> Iterator[None]:
        """Keep a fault, which the caller injects, in the list; when it is there and when it was mended writes go on."""
        fault = InjectedFault(kind, target, time.monotonic() - self._began)
        self._injected.append(fault)
        yield
        fault.ended_at = time.monotonic()
        self.works()

    def works(self) -> None:
        """Wait until operations succeed that begin from now on."""
        now = time.monotonic()

        def succeeded() -> int:
            return sum(one.outcome is Outcome.OK and one.invoked_at > now for one in self._workload.history)

        until(lambda: succeeded() >= ENOUGH, f"{ENOUGH} operations that began after this succeed", WORKS_SECONDS)

    def kill(self, server: RunningServer) -> None:
        """Kill a server, and start it again when the others have gone on without it."""
        with self.broken("kill", server.name):
            server.kill()
            self.works()
            server.start()

    def freeze(self, server: RunningServer) -> None:
        """Freeze a server, and let it go on when the others have gone on without it."""
        with self.broken("freeze", server.name):
            server.pause()
            self.works()
            server.resume()

    def restart(self, server: RunningServer) -> None:
        """Stop a server in order, and start it again, as one does for an upgrade."""
        with self.broken("restart", server.name):
            server.stop()
            server.start()


def run(tmp_path: Path, break_things: Callable[[Cluster], None]) -> None:
    """Break a cluster under load; nothing is lost, done twice or stuck, and it works while one of each is away."""
    with contextlib.ExitStack() as at_end:

        def breaks(lab: Laboratory, workload: Workload, injected: list[InjectedFault]) -> None:
            break_things(Cluster(lab, workload, injected, at_end))

        result = run_under_load(RESTATE, SETTINGS, tmp_path / "data", breaks)
    result.write(tmp_path / "history.jsonl")
    gaps = ", ".join(f"{fault} {seconds:.1f} s" for fault, seconds in result.longest_gaps().items())
    print(f"the longest time without a success: {gaps}")
    assert result.violations == [], f"history in {tmp_path / 'history.jsonl'}"


def test_one_of_each_is_killed(tmp_path: Path) -> None:
    """A node, a service and a web are killed, one at a time."""

    def one_of_each(cluster: Cluster) -> None:
        for name in ("restate", "restate_app_2", "flask-todo-restate"):
            cluster.kill(cluster.lab.servers[name])

    run(tmp_path, one_of_each)


@pytest.mark.whole
def test_each_is_killed_and_frozen(tmp_path: Path) -> None:
    """Each node, service and web goes once: so whichever nodes lead, a leader is among them."""

    def each(cluster: Cluster) -> None:
        for server in of_the_cluster(cluster.lab).values():
            cluster.kill(server)
            cluster.freeze(server)

    run(tmp_path, each)


@pytest.mark.whole
def test_rolling(tmp_path: Path) -> None:
    """Each server is restarted, one after the other, and then a new version of the service takes the calls."""

    def rolling(cluster: Cluster) -> None:
        for server in of_the_cluster(cluster.lab).values():
            cluster.restart(server)
        deploy(cluster)

    run(tmp_path, rolling)


@pytest.mark.whole
def test_both_services_work(tmp_path: Path) -> None:
    """Neither of two service processes on one port is left out, whichever node makes the calls."""
    calls = Counter[str]()

    def log(server: str, line: str) -> None:
        calls[server] += "TodoService/add_todo is done" in line

    ports = Ports.free(3)
    with Stack([RESTATE], data=tmp_path / "data", ports=ports, size=SIZE, log=log) as stack:
        replace(adds(RunningTwin(RESTATE, stack), CALLS), clients=CLIENTS).run()
    shares = [calls[name] / calls.total() for name in stack.servers if calls[name]]
    assert calls.total() >= CALLS
    assert len(shares) == 2
    assert min(shares) >= LEAST_SHARE, calls


@pytest.mark.whole
def test_one_is_added(tmp_path: Path) -> None:
    """A cluster that starts with one node more goes on with its journal, and the new one is as good as the others."""
    ports, task = Ports.free(4), new_name("bread")

    def members(nodes: int) -> list[int]:
        return restate_admin.members(f"http://{HOST}:{ports.restate_admin + nodes - 1}")

    def add_with_key(stack: Stack) -> None:
        key = {"Idempotency-Key": task.replace(" ", "-")}
        answer = RunningTwin(RESTATE, stack).call("POST", json={"title": task}, headers=key)
        assert answer.status_code == 201, answer.text

    with Stack([RESTATE], data=tmp_path / "data", ports=ports, size=Size(nodes=3)) as three:
        add_with_key(three)
        assert len(members(3)) == 3
    with Stack([RESTATE], data=tmp_path / "data", ports=ports, size=Size(nodes=4)) as four:
        # With its key it is the same call, which the journal has.
        add_with_key(four)
        twin = RunningTwin(RESTATE, four)
        assert len(twin.tasks(task)) == 1
        until(lambda: len(members(4)) == 4, "the new node is a member")
        four.servers["restate"].kill()
        until(lambda: twin.call("POST", json={"title": new_name("tea")}).ok, "the other three go on")


def deploy(cluster: Cluster) -> None:
    """Deploy the service at another address, and stop what served the old one when that has nothing more to do."""
    twin, port = cluster.lab.twin, Ports.free().restate_service
    version = service_endpoint(twin, ["flask_todo_restate.restate_server"], port)
    cluster.at_end.callback(version.kill)
    with cluster.broken("deployment", RESTATE.writer):
        version.start()
        command(twin, "deploy", port).run()
        for name, server in of_the_cluster(cluster.lab).items():
            if split(name)[0] == RESTATE.writer:
                server.stop()
    assert list(restate_admin.deployments(twin.stack.ports.admin_url).values()) == [f"http://{HOST}:{port}"]


def of_the_cluster(lab: Laboratory) -> Mapping[str, RunningServer]:
    """Return the servers of which there are several."""
    return {name: server for name, server in lab.stack.servers.items() if name != "db"}
