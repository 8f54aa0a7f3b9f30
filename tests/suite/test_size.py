"""How many of each server: what may be asked for, which ports they get, and what is refused before anything starts."""

import dataclasses
import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.up import COMMAND, settings_of
from todo_stack import connections
from todo_stack.data_folder import MARK, VERSION
from todo_stack.errors import StackError, StopRequested
from todo_stack.ports import HOST, Ports
from todo_stack.process import Process
from todo_stack.size import ONE, Size, numbered, split
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE


def test_from_environment() -> None:
    """What is not set, or empty, is one."""
    assert Size.from_environment({}) == Size.from_environment({"NODES": "", "WEBS": "1"}) == ONE
    assert Size.from_environment({"NODES": "3", "SERVICES": "2"}) == Size(nodes=3, services=2, webs=1)


@pytest.mark.parametrize("value", ["0", "-1", "2.5", "three", "10", "²", " 3 x"])
@pytest.mark.parametrize("setting", ["NODES", "SERVICES", "WEBS"])
def test_no_number(setting: str, value: str) -> None:
    """The setting is named, and what it may be."""
    with pytest.raises(StackError, match=f"{setting}: '{value}' is not a number from 1 to 9"):
        Size.from_environment({setting: value})


def test_two_nodes(tmp_path: Path) -> None:
    """Two nodes are less safe than one: without either nothing goes on."""
    env = {**os.environ, **settings_of(Ports.free()), "NODES": "2"}
    command = [*COMMAND, "up", "restate", "--data", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (
        1,
        ["error: NODES: 2 nodes can do nothing without one of them: it must be 1, or 3 to 9"],
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["restate", "restate_app", "flask-todo-restate"])
def test_names(name: str) -> None:
    """The first of a kind has the plain name, and each name says which of them it is."""
    assert numbered(name, 1) == name
    assert split(name) == (name, 1)
    assert split(numbered(name, 2)) == (name, 2)


def test_ports_in_a_row() -> None:
    """Several servers of a kind get ports one after the other, and no two of all the same."""
    ports = Ports.free(3)
    wanted = [(field.name, by) for field in dataclasses.fields(Ports) for by in range(3)]
    ports.check(wanted)
    with socket.create_server((HOST, ports.restate_admin + 2)):
        setting = rf"port {ports.restate_admin + 2} \(RESTATE_ADMIN_URL \+ 2\) is taken by .*: end that, or set "
        with pytest.raises(StackError, match=setting):
            ports.check(wanted)
    clash = dataclasses.replace(ports, restate_admin=ports.restate_ingress + 1)
    with pytest.raises(StackError, match=r"wanted twice, for RESTATE_ENDPOINT \+ 1 and for RESTATE_ADMIN_URL: "):
        clash.check(wanted)


@pytest.mark.parametrize(
    ("folders", "found", "nodes", "wanted"),
    [
        pytest.param(1, 0, 3, 1, id="one node has a log with gaps that others cannot fill"),
        pytest.param(3, 3, 1, 3, id="one node has not all of it"),
        pytest.param(5, 5, 3, 5, id="three nodes may not have all of it"),
        pytest.param(2, 0, 1, 3, id="a first start was interrupted"),
        pytest.param(4, 0, 3, 4, id="a first start of four was interrupted"),
    ],
)
def test_journal_of_another_size(tmp_path: Path, folders: int, found: int, nodes: int, wanted: int) -> None:
    """A journal is started with as many nodes as have it, and the error says how."""
    keep_journal(tmp_path, folders, found)
    refusal = f"is of {wanted} Restate nodes?, and not of {nodes}: start it with NODES={wanted}"
    with pytest.raises(StackError, match=refusal):
        stack_of(tmp_path, nodes).start()


@pytest.mark.parametrize(("folders", "found", "nodes"), [(2, 0, 3), (3, 3, 4)], ids=["first start", "growing"])
def test_start_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folders: int, found: int, nodes: int
) -> None:
    """What can have nodes of this start is never started with fewer, even if they have not found together."""
    keep_journal(tmp_path, folders, found)

    def interrupted(_: Stack, process: Process) -> None:
        (tmp_path / process.name).mkdir(exist_ok=True)
        raise StopRequested

    monkeypatch.setattr(Stack, "spawn", interrupted)
    with pytest.raises(StopRequested):
        stack_of(tmp_path, nodes).start()
    with pytest.raises(StackError, match=f"start it with NODES={nodes}"):
        stack_of(tmp_path, 1).start()


def keep_journal(data: Path, folders: int, found: int) -> None:
    """Make a data folder with so many nodes, of which so many have found together."""
    for number in range(1, folders + 1):
        (data / numbered("restate", number)).mkdir()
    if found:
        (data / "restate-nodes").write_text(str(found))
    (data / MARK).write_text(f"{VERSION}\n")


def stack_of(data: Path, nodes: int) -> Stack:
    """Return a stack of so many nodes."""
    return Stack([RESTATE], data=data, ports=Ports.free(nodes), size=Size(nodes=nodes))


def test_sum_of_connections(native_stack: Stack) -> None:
    """The pools of all processes are added up, and the sum is compared with what PostgreSQL gives others."""
    url = native_stack.database_url(RESTATE)

    def problem(**settings: str) -> str:
        servers = native_stack.services() + native_stack.webs(RESTATE)
        for server in servers:
            server.env |= settings
        return connections.too_many(url, list[Process](servers))

    # 200 connections, 3 of them for the superuser; and each server has one of its own for scrapes.
    assert problem() == problem(DB_POOL_SIZE="97") == ""
    assert problem(DB_POOL_SIZE="98").startswith("the pools of all processes may take 198 connections, and PostgreSQL")
    assert "may take 290 connections" in problem(DB_POOL_SIZE="48", WEB_WORKERS="3", RESTATE_SERVICE_WORKERS="3")
