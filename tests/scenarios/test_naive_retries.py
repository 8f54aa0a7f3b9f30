"""Would a few retries around the commit be enough, without Restate?

They repair a failure before COMMIT and duplicate after a failure behind it, and the exception is the same. To retry is
the easy part; to remember what was done is the work.
"""

import pytest
import tenacity
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Answer, Match, Sent
from tests.scenarios.conftest import only_plain
from tests.support.user import new_name
from todo_shared import operations

EXPECTED = [
    # Nothing was written, so the second try is the first that works.
    pytest.param(Sent("COMMIT"), 1, id="connection dropped before COMMIT"),
    # The first try has worked, and could not say so.
    pytest.param(Answer("COMMIT"), 2, id="answer to COMMIT lost"),
]


@tenacity.retry(retry=tenacity.retry_if_exception_type(OperationalError), stop=tenacity.stop_after_attempt(3))
def add_with_retries(engine: Engine, task: str) -> None:
    """Add a todo as the plain twin does, and again when the database fails."""
    with Session(engine) as session:
        operations.add(session, task)
        session.commit()


@only_plain
@pytest.mark.parametrize(("message", "rows"), EXPECTED)
def test_naive_retries(lab: Laboratory, engine: Engine, message: Match, rows: int) -> None:
    """The function succeeds in both cases and cannot tell them apart; in one of them it has added two todos."""
    task = new_name("milk")
    cut = lab.database.cut(lambda seen: message(seen) and seen.mentions(task))
    add_with_retries(engine, task)
    cut.wait()

    assert lab.twin.tasks(task) == [task] * rows
