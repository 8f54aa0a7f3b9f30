"""Would a few retries around the commit have done it, without Restate?

They mend what failed before COMMIT and double what failed after it, and the exception is the same. Retrying alone
duplicates; it needs something that remembers, and that is the part that is work.
"""

from collections.abc import Iterator

import pytest
import tenacity
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire import Answer, Match, Sent
from tests.scenarios.stage import name
from todo_shared import operations

EXPECTED = [
    # Nothing was written, so the second try is the first that works.
    pytest.param(Sent("COMMIT"), 1, id="connection dropped before COMMIT"),
    # The first try has worked, and could not say so.
    pytest.param(Answer("COMMIT"), 2, id="answer to COMMIT lost"),
]


@pytest.fixture
def engine(plain: Laboratory) -> Iterator[Engine]:
    """The plain twin's way to its database, through the proxy."""
    engine = create_engine(f"postgresql+psycopg2://postgres@127.0.0.1:{plain.database.port}/todos", pool_pre_ping=True)
    yield engine
    engine.dispose()


@tenacity.retry(retry=tenacity.retry_if_exception_type(OperationalError), stop=tenacity.stop_after_attempt(3))
def add_with_retries(engine: Engine, task: str) -> None:
    """Add a todo as the plain twin does, and again when the database fails."""
    with Session(engine) as session:
        operations.add(session, task)
        session.commit()


@pytest.mark.parametrize(("message", "rows"), EXPECTED)
def test_naive_retries(plain: Laboratory, engine: Engine, message: Match, rows: int) -> None:
    """The function succeeds in both cases and cannot tell them apart; in one of them it has added two todos."""
    task = name("milk")
    cut = plain.database.cut(lambda seen: message(seen) and seen.mentions(task))
    add_with_retries(engine, task)
    cut.wait()

    assert plain.twin.tasks(task) == [task] * rows
