"""The ledger makes a step that is repeated change the database once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
import tenacity
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flask_todo_restate.services import database
from flask_todo_restate.services.database import ledger
from tests.support.running_twin import RunningTwin, restate_twin
from todo_shared import operations
from todo_shared.schemas import TodoData
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE


@pytest.fixture
def durable(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningTwin]:
    """The Restate twin, with its ledger usable in this process."""
    monkeypatch.setenv("DATABASE_URL", stack.database_url(RESTATE))
    database.sessions.cache_clear()
    yield restate_twin(stack)
    database.sessions().kw["bind"].dispose()
    database.sessions.cache_clear()


def adding(task: str) -> Callable[[Session], TodoData]:
    """Return the change that adds a todo."""

    def add(session: Session) -> TodoData:
        return operations.add(session, task)

    return add


def test_repeat_returns_the_first_result(durable: RunningTwin) -> None:
    """A step that is run again returns what it returned, and changes nothing."""
    operation_id, task = f"inv_{uuid4()}", f"ledger {uuid4()}"
    results = [ledger.apply(operation_id, adding(task)) for _ in range(3)]
    assert results[0] == results[1] == results[2]
    assert durable.tasks(task) == [task]


def test_repeated_deletion_succeeds(durable: RunningTwin) -> None:
    """A deletion whose answer was lost is not told that there is nothing to delete."""
    operation_id, todo = f"inv_{uuid4()}", durable.add(f"ledger {uuid4()}")
    for _ in range(2):
        assert ledger.apply(operation_id, lambda session: operations.delete(session, todo["id"])) is None
    with pytest.raises(operations.TodoNotFoundError):
        ledger.apply(f"inv_{uuid4()}", lambda session: operations.delete(session, todo["id"]))


def test_failure_leaves_no_row(durable: RunningTwin) -> None:
    """A step that fails leaves neither change nor row, so that its repeat does it."""
    operation_id, task = f"inv_{uuid4()}", f"ledger {uuid4()}"

    def failing(session: Session) -> None:
        operations.add(session, task)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        ledger.apply(operation_id, failing)
    assert durable.tasks(task) == []
    assert durable.rows("SELECT count(*) FROM operation WHERE operation_id = %s", operation_id) == [(0,)]
    ledger.apply(operation_id, adding(task))
    assert durable.tasks(task) == [task]


def test_same_step_twice_at_once(durable: RunningTwin) -> None:
    """If a step runs twice at the same time, one of them is kept, and both return that one's result."""
    operation_id, task = f"inv_{uuid4()}", f"ledger {uuid4()}"
    inside, go_on = threading.Event(), threading.Event()

    def slow(session: Session) -> TodoData:
        added = operations.add(session, task)
        inside.set()
        assert go_on.wait(10)
        return added

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ledger.apply, operation_id, slow)
        assert inside.wait(10)
        # It has been taken for dead, and is repeated, and then it goes on.
        second = pool.submit(ledger.apply, operation_id, adding(task)).result()
        go_on.set()
        assert first.result() == second
    assert durable.tasks(task) == [task]


def test_repeated_clearing_spares_what_is_new(durable: RunningTwin) -> None:
    """If all todos are deleted, and one is added before the answer arrives, the repeat leaves that one alone."""
    operation_id, task = f"inv_{uuid4()}", f"ledger {uuid4()}"
    ledger.apply(operation_id, operations.clear)
    durable.add(task)
    ledger.apply(operation_id, operations.clear)
    assert durable.tasks(task) == [task]


def test_same_deletion_twice_at_once(durable: RunningTwin) -> None:
    """A deletion that is repeated before its first COMMIT has come through succeeds: it does not find itself."""
    operation_id, todo = f"inv_{uuid4()}", durable.add(f"ledger {uuid4()}")
    inside, go_on = threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        operations.delete(session, todo["id"])
        inside.set()
        assert go_on.wait(10)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ledger.apply, operation_id, slow)
        assert inside.wait(10)
        second = pool.submit(ledger.apply, operation_id, lambda session: operations.delete(session, todo["id"]))
        wait_for_lock(durable)
        go_on.set()
        assert first.result() is None
        assert second.result() is None
    assert durable.rows("SELECT id FROM todo WHERE id = %s", todo["id"]) == []


def wait_for_lock(durable: RunningTwin) -> None:
    """Wait until somebody waits for another's transaction."""
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda rows: not rows),
        stop=tenacity.stop_after_delay(4),
        wait=tenacity.wait_fixed(0.02),
    )
    waiting(durable.rows, "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")


def test_violation_by_its_own_first_success(durable: RunningTwin) -> None:
    """A repeat whose change breaks a constraint because it was made before returns the first result."""
    operation_id, task = f"inv_{uuid4()}", f"ledger {uuid4()}"

    ((todo_id,),) = durable.rows("SELECT nextval(pg_get_serial_sequence('todo', 'id'))")

    def unique(session: Session) -> TodoData:
        session.execute(
            text("INSERT INTO todo (id, task) OVERRIDING SYSTEM VALUE VALUES (:id, :task)"),
            {"id": todo_id, "task": task},
        )
        return TodoData(id=todo_id, task=task, completed=False, order=None)

    first = ledger.apply(operation_id, unique)
    assert ledger.apply(operation_id, unique) == first
    assert durable.tasks(task) == [task]
    # The same change on behalf of somebody else is refused.
    with pytest.raises(IntegrityError):
        ledger.apply(f"inv_{uuid4()}", unique)


def test_purge_deletes_old_rows(durable: RunningTwin) -> None:
    """Rows older than the retention are deleted, in as many batches as it takes; younger ones are kept."""
    old, young = [f"inv_{uuid4()}" for _ in range(5)], f"inv_{uuid4()}"
    for operation_id in (*old, young):
        ledger.apply(operation_id, adding(f"ledger {uuid4()}"))
    aged = "UPDATE operation SET created_at = now() - interval '8 days' WHERE operation_id = ANY(%s) RETURNING 1"
    durable.rows(aged, old)
    assert ledger.purge(timedelta(days=7), batch=2) == len(old)
    there = durable.rows("SELECT operation_id FROM operation WHERE operation_id = ANY(%s)", [*old, young])
    assert there == [(young,)]
