"""A meeting's workflow is stopped, by its user or by an operator: nothing is left."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.features.meetings import PLANNED, MetTodo
from tests.support import restate_admin
from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin, new_key
from tests.support.waiting import until

STOPS: dict[str, dict[str, Any]] = {
    "calendar": {"mode": "error"},
    "room": {"mode": "busy", "retry_after": 3600},
    "invite": {"mode": "error"},
}


@pytest.fixture
def todo(durable: RunningTwin) -> MetTodo:
    """A todo of the Restate twin."""
    return MetTodo(durable, OutsideWorldClient(durable.stack.ports.outside_world_url, durable.which.key))


@pytest.mark.parametrize(("step", "order"), STOPS.items())
def test_cancelled_while_a_step_fails(todo: MetTodo, step: str, order: dict[str, Any]) -> None:
    """A step that is repeated without end does not keep its user from cancelling at once; who planned is told."""
    method = "POST" if step == "invite" else "PUT"
    with todo.told(step, **order, method=method), ThreadPoolExecutor(1) as pool:
        planning = pool.submit(todo.meet)
        until(lambda: todo.asked(step), "it is asked")
        todo.cancel()
        assert planning.result().status_code == 409
        assert planning.result().json()["detail"] == "The meeting was cancelled."
        assert todo.meeting()["status"] == "cancelled"
    assert todo.twin.settle() == []
    assert todo.booked() == []


OPERATOR = {
    "run: cancel": "refused",
    "run: cancel cancel": "refused",
    "plan_meeting: cancel": "refused",
    "run: pause resume": "planned",
    "run: pause cancel": "refused",
    "run: cancel, fails": "refused",
    "run: pause cancel, fails": "refused",
}


@pytest.mark.parametrize(("orders", "status"), OPERATOR.items())
def test_operator(todo: MetTodo, orders: str, status: str) -> None:
    """What an operator does while the room is booked, or fails, leaves nothing behind."""
    orders, _, fails = orders.partition(", ")
    order: dict[str, Any] = {"mode": "error"} if fails else {"mode": "slow", "seconds_each": 0.3}
    handler, verbs = orders.split(": ")
    with ThreadPoolExecutor(1) as pool:
        with todo.told("room", **order):
            planning = pool.submit(todo.meet)
            until(lambda: todo.asked("room"), "the room is asked")
            call = todo.calls()[handler]
            for number, verb in enumerate(verbs.split()):
                if number and verb == "cancel" and "pause" not in verbs:
                    until(lambda: todo.answers("room", "DELETE"), "it is being undone")
                todo.order(call, verb)
                if verb == "pause":
                    until(lambda: todo.state(call) == "paused", "it is paused")
        assert planning.result().status_code == {"refused": 409, "planned": 201}[status]
    assert todo.twin.settle() == []
    assert todo.meeting()["status"] == status
    assert todo.booked() == (["calendar", "room"] if status == "planned" else [])


def test_operator_while_it_is_cancelled(todo: MetTodo) -> None:
    """What is being undone is undone to its end, whatever an operator cancels."""
    assert todo.meet().status_code == 201
    with todo.told("room", "slow", seconds_each=0.3), ThreadPoolExecutor(1) as pool:
        cancelling = pool.submit(todo.cancel)
        until(lambda: todo.answers("room", "DELETE"), "it is being undone")
        for handler in ("cancel_meeting", "cancel"):
            todo.order(todo.calls()[handler], "cancel")
        cancelling.result()
    assert todo.twin.settle() == []
    assert todo.steps() == "cancelled undone undone undone undone"
    todo.is_cancelled()


def test_deletion_whose_answers_were_lost(todo: MetTodo) -> None:
    """A deletion may end as unknown after its last attempt: what its row in the ledger tells to undo is undone."""
    assert todo.meet().status_code == 201
    operation = new_key()
    todo.twin.rows(
        """WITH made AS (INSERT INTO operation (operation_id, result)
             SELECT %s || '/db_delete', to_jsonb(meeting) FROM meeting WHERE todo_id = %s)
           DELETE FROM todo WHERE id = %s""",
        operation,
        todo.id,
        todo.id,
    )
    address = f"http://127.0.0.1:{todo.twin.stack.ports.restate_ingress}/restate/call/TodoService/finish_deletion"
    for name, status in ((operation, 200), (new_key(), 404)):
        answer = requests.post(address, json={"todo_id": todo.id}, headers={"operation-id": name}, timeout=10)
        assert answer.status_code == status, answer.text
    assert todo.twin.settle() == []
    assert todo.booked() == []


def test_repeated_after_it_is_forgotten(todo: MetTodo) -> None:
    """A form that is submitted again after Restate has forgotten its call gets the meeting of the first time."""
    key = new_key()
    first = todo.meet(key)
    calls = restate_admin.query(todo.admin_url, "SELECT id, idempotency_key FROM sys_invocation")
    (call,) = [call["id"] for call in calls if call.get("idempotency_key", "").startswith(key)]
    todo.order(call, "purge")
    until(lambda: not todo.state(call), "it is forgotten")
    again = todo.meet(key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert todo.effects() == PLANNED
