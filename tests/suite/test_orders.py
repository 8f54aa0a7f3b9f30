"""Orders reach the stack that is up, and no other."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from todo_stack.errors import StackError
from todo_stack.orders import Order, give, inbox


def test_no_stack(tmp_path: Path) -> None:
    """Where no stack takes orders one line says so, with the names that there could be."""
    for data in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(StackError, match=r"no stack is up on .*type make up\. WHAT is then one of db, ") as error:
            give(data, "kill", "db")
        assert "\n" not in str(error.value)


def test_folder_of_a_stack_that_was_killed(tmp_path: Path) -> None:
    """What a killed stack has left takes no orders, and the next one does not carry out those that it had not taken."""
    folder = tmp_path / "orders"
    folder.mkdir()
    ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (folder / "supervisor").write_text(json.dumps([ended.pid, psutil.Process(ended.pid).create_time()]))
    (folder / "1-a.order").write_text(json.dumps(["kill", "db"]))
    ended.communicate()
    with pytest.raises(StackError, match="no stack is up"):
        give(tmp_path, "kill", "db")
    with inbox(tmp_path) as box:
        assert list(box.take()) == []


def test_number_that_another_process_has_now(tmp_path: Path) -> None:
    """A process with the number of a supervisor that was killed is not mistaken for it."""
    folder = tmp_path / "orders"
    folder.mkdir()
    this = psutil.Process()
    (folder / "supervisor").write_text(json.dumps([this.pid, this.create_time() - 60]))
    with pytest.raises(StackError, match="no stack is up"):
        give(tmp_path, "kill", "db")


def test_stack_ends_before_it_answers(tmp_path: Path) -> None:
    """Who waits for an answer when the stack ends is told so."""
    with ThreadPoolExecutor(1) as pool:
        with inbox(tmp_path) as box:
            waiting = pool.submit(give, tmp_path, "start", "db")
            while not list(box.take()):
                assert not waiting.done()
        with pytest.raises(StackError, match="ended meanwhile"):
            waiting.result(10)


def test_answers(tmp_path: Path) -> None:
    """An order comes once; its answer is returned, or raised where it is a refusal, and no file is left."""
    with inbox(tmp_path) as box, ThreadPoolExecutor(1) as pool:
        for answer in (Order.done, Order.refused):
            waiting = pool.submit(give, tmp_path, "kill", "db")
            orders: list[Order] = []
            while not orders:
                assert not waiting.done()
                orders += box.take()
            assert [(order.verb, order.name) for order in orders] == [("kill", "db")]
            answer(orders[0], "a line")
            if answer is Order.done:
                assert waiting.result(10) == "a line"
            else:
                with pytest.raises(StackError, match=r"^a line$"):
                    waiting.result(10)
        assert [path.name for path in (tmp_path / "orders").iterdir()] == ["supervisor"]
