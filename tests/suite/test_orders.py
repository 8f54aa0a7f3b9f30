"""Orders reach the stack that is up, and no other."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.waiting import until
from todo_stack.data_folder import held
from todo_stack.errors import StackError
from todo_stack.orders import Order, give, inbox, take


def take_one(folder: Path) -> Order:
    """Take the order that somebody waits for."""
    (order,) = until(lambda: list(take(folder)), "the order has come")
    return order


def test_no_stack(tmp_path: Path) -> None:
    """Where no stack takes orders one line says so, with the names of the servers."""
    for data in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(
            StackError, match=r"no stack is up on .*type make up\. WHAT is then one of outside_world, "
        ) as error:
            give(data, "kill", "db")
        assert "\n" not in str(error.value)
        assert not (data / "lock").exists()


def test_stack_that_starts(tmp_path: Path) -> None:
    """Where a stack holds the folder and takes no orders, one line says that it is not up, not that there is none."""
    with held(tmp_path), pytest.raises(StackError, match=r"^the stack on .* is not up: its terminal says when it is"):
        give(tmp_path, "kill", "db")


def test_folder_of_a_stack_that_was_killed(tmp_path: Path) -> None:
    """The folder of a killed stack takes no orders, and the next stack does not carry out those that are left in it."""
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "1-a.order").write_text(json.dumps(["kill", "db"]))
    with pytest.raises(StackError, match="no stack is up"):
        give(tmp_path, "kill", "db")
    with inbox(tmp_path) as folder:
        assert list(take(folder)) == []


def test_stack_ends_before_it_answers(tmp_path: Path) -> None:
    """An order that the stack has not answered when it ends is refused with that reason."""
    with ThreadPoolExecutor(1) as pool:
        with inbox(tmp_path) as folder:
            waiting = pool.submit(give, tmp_path, "start", "db")
            take_one(folder)
        with pytest.raises(StackError, match="ended meanwhile"):
            waiting.result(10)


def test_answers(tmp_path: Path) -> None:
    """An order comes once; its answer is returned, or raised where it is a refusal, and no file is left."""
    with inbox(tmp_path) as folder, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(give, tmp_path, "kill", "db")
        order = take_one(folder)
        assert (order.verb, order.name) == ("kill", "db")
        order.done("a line")
        assert waiting.result(10) == "a line"
        waiting = pool.submit(give, tmp_path, "kill", "db")
        take_one(folder).refused("a reason")
        with pytest.raises(StackError, match=r"^a reason$"):
            waiting.result(10)
        assert [path.name for path in (tmp_path / "orders").iterdir()] == ["lock"]
