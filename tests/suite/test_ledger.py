"""The ledger makes a step that is repeated change the database once."""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel, ConfigDict, Field, computed_field
from restate import TerminalError
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, InternalError
from sqlalchemy.orm import Session

from flask_restate.errors import translate
from flask_todo_restate.services import database
from flask_todo_restate.services.database import ledger
from tests.support.running_twin import RunningStack, RunningTwin
from tests.support.table_lock import waiting_for_locks
from tests.support.user import new_name
from tests.support.waiting import until
from todo_shared import operations
from todo_shared.schemas import TodoData
from todo_stack.twins import RESTATE


@pytest.fixture(autouse=True)
def sessions_of_this_process(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the service's code in this process use the Restate twin's database."""
    monkeypatch.setenv("DATABASE_URL", stack.database_url(RESTATE))
    database.sessions.cache_clear()
    yield
    database.sessions().kw["bind"].dispose()
    database.sessions.cache_clear()


@pytest.fixture
def operation_id() -> str:
    """The id of a new operation."""
    return f"inv_{uuid4()}"


@pytest.fixture
def task() -> str:
    """A task that no other test has."""
    return new_name("ledger")


def adding(task: str) -> Callable[[Session], TodoData]:
    """Return the change that adds a todo."""

    def add(session: Session) -> TodoData:
        return operations.add(session, task)

    return add


@contextlib.contextmanager
def interrupted(operation_id: str, change: Callable[[Session], Any]) -> Iterator[Future[Any]]:
    """Make a change in a thread that waits before its COMMIT until the end, as one whose process seemed dead."""
    made, may_commit = threading.Event(), threading.Event()

    # With its annotations: the ledger takes the type of the result from there.
    @functools.wraps(change)
    def change_and_wait(session: Session) -> object:
        result = change(session)
        made.set()
        assert may_commit.wait(10)
        return result

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ledger.apply, operation_id, change_and_wait)
        assert made.wait(10)
        yield first
        may_commit.set()


def test_repeat_returns_the_first_result(durable: RunningTwin, operation_id: str, task: str) -> None:
    """A step that is run again returns what it returned, and changes nothing."""
    results = [ledger.apply(operation_id, adding(task)) for _ in range(3)]
    assert results[0] == results[1] == results[2]
    assert durable.tasks(task) == [task]


def test_failure_leaves_no_row(durable: RunningTwin, operation_id: str, task: str) -> None:
    """A step that fails leaves neither change nor row, so that its repeat does it."""

    def failing(session: Session) -> None:
        operations.add(session, task)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        ledger.apply(operation_id, failing)
    assert durable.tasks(task) == []
    assert durable.rows("SELECT count(*) FROM operation WHERE operation_id = %s", operation_id) == [(0,)]
    ledger.apply(operation_id, adding(task))
    assert durable.tasks(task) == [task]


def test_same_step_twice_at_once(durable: RunningTwin, operation_id: str, task: str) -> None:
    """If a step runs twice at the same time, one of them is kept, and both return that one's result."""
    with interrupted(operation_id, adding(task)) as first:
        second = ledger.apply(operation_id, adding(task))
    assert first.result() == second
    assert durable.tasks(task) == [task]


def test_same_deletion_twice_at_once(durable: RunningTwin, operation_id: str, task: str) -> None:
    """A deletion that is repeated before its first COMMIT succeeds: it does not report its own first try as missing."""
    todo = durable.add(task)

    def delete(session: Session) -> None:
        operations.delete(session, todo["id"])

    with ThreadPoolExecutor(1) as pool, interrupted(operation_id, delete) as first:
        second = pool.submit(ledger.apply, operation_id, delete)
        until(lambda: waiting_for_locks(durable.stack.database_url(RESTATE)), "the second waits for the first", 4)
    assert (first.result(), second.result()) == (None, None)
    assert durable.tasks(task) == []


def test_repeated_clearing_spares_what_is_new(durable: RunningTwin, operation_id: str, task: str) -> None:
    """If all todos are deleted, and one is added before the answer arrives, the repeat leaves that one alone."""
    durable.add(new_name("old"))
    ledger.apply(operation_id, operations.clear)
    assert durable.tasks("") == []
    durable.add(task)
    ledger.apply(operation_id, operations.clear)
    assert durable.tasks("") == [task]


def test_violation_by_its_own_first_success(durable: RunningTwin, operation_id: str, task: str) -> None:
    """A repeat whose change breaks a constraint because it was made before returns the first result."""
    ((todo_id,),) = durable.rows("SELECT nextval(pg_get_serial_sequence('todo', 'id'))")

    def unique(session: Session) -> TodoData:
        insert = text("INSERT INTO todo (id, task) OVERRIDING SYSTEM VALUE VALUES (:id, :task)")
        session.execute(insert, {"id": todo_id, "task": task})
        return TodoData(id=todo_id, task=task, completed=False, order=None)

    first = ledger.apply(operation_id, unique)
    assert ledger.apply(operation_id, unique) == first
    # The same change on behalf of somebody else is refused.
    with pytest.raises(IntegrityError):
        ledger.apply(f"inv_{uuid4()}", unique)
    assert durable.tasks(task) == [task]


def test_refused_by_a_trigger(durable: RunningTwin, operation_id: str, task: str) -> None:
    """A repeat that a trigger refuses, because the change was made before, returns the first result."""
    durable.rows(
        """CREATE FUNCTION once_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF EXISTS (SELECT FROM todo WHERE task = NEW.task) THEN RAISE 'we have this already'; END IF; RETURN NEW;
           END $$; CREATE TRIGGER once_only BEFORE INSERT ON todo FOR EACH ROW EXECUTE FUNCTION once_only()"""
    )
    try:
        first = ledger.apply(operation_id, adding(task))
        assert ledger.apply(operation_id, adding(task)) == first
        with pytest.raises(InternalError) as refused:
            ledger.apply(f"inv_{uuid4()}", adding(task))
    finally:
        durable.rows("DROP TRIGGER once_only ON todo; DROP FUNCTION once_only()")
    ends = translate(refused.value)
    assert isinstance(ends, TerminalError)
    assert (ends.status_code, ends.message) == (409, "we have this already")
    assert durable.tasks(task) == [task]


class Odd(BaseModel):
    """A result that is read back only by the rules of JSON."""

    model_config = ConfigDict(strict=True, extra="forbid")

    at: datetime = Field(alias="when")

    @computed_field
    def year(self) -> int:
        """The year of it."""
        return self.at.year


def test_result_is_read_back_as_it_was(operation_id: str) -> None:
    """Strict types, aliases and computed fields survive the ledger."""
    odd = Odd(when=datetime(2026, 1, 2, tzinfo=UTC))

    def change(session: Session) -> Odd:
        del session
        return odd

    assert [ledger.apply(operation_id, change) for _ in range(2)] == [odd, odd]


def test_purge_deletes_old_rows(durable: RunningTwin, operation_id: str, task: str) -> None:
    """Rows older than the retention are deleted, in as many batches as it takes; younger ones are kept."""
    old = [f"inv_{uuid4()}" for _ in range(5)]
    for one in (*old, operation_id):
        ledger.apply(one, adding(task))
    durable.rows("UPDATE operation SET created_at = now() - interval '8 days' WHERE operation_id = ANY(%s)", old)
    assert ledger.purge(timedelta(days=7), batch=2) == len(old)
    left = durable.rows("SELECT operation_id FROM operation WHERE operation_id = ANY(%s)", [*old, operation_id])
    assert left == [(operation_id,)]
