"""What becomes of an operation that can never succeed?

Restate runs again whatever fails with any exception but a TerminalError. That is right for a database that is away and
wrong for a todo that does not exist, so the service has to say which of the two it is.
"""

from tests.faultlab.laboratory import Laboratory
from tests.scenarios.article.running import Article
from tests.support.history import Verdict
from tests.support.user import delete, new_name, update, verdict_on
from tests.support.waiting import until
from todo_shared.schemas import TodoUpdateRequest

ENOUGH_RETRIES = 3
"""As many attempts as the article gives a delete; what goes on after them has no end in sight."""


def no_such_todo(lab: Laboratory) -> int:
    """Return the id of a todo that was there and is not any more."""
    todo = lab.twin.add(new_name("gone"))
    assert delete(lab.twin, todo).detail == "204"
    return int(todo["id"])


def test_what_cannot_succeed_is_refused_at_once(lab: Laboratory) -> None:
    """An update of a todo that there is not is 404 in both twins, and nothing is retried afterwards."""
    updated = update(lab.twin, no_such_todo(lab), new_name("new name"))

    # The plain twin does not retry anything; the Restate twin raises a TerminalError with this status.
    assert updated.detail == "404"
    assert verdict_on(lab.twin, updated) is Verdict.REFUSED


def test_article_retries_what_cannot_succeed(article: Article) -> None:
    """With a ValueError in its place the same update is tried again and again, and its user is told nothing."""
    message = TodoUpdateRequest(todo_id=no_such_todo(article.lab), task=new_name("new name"))
    invocation = article.send("update_todo", message)

    until(
        lambda: (article.invocation(invocation)["retry_count"] or 0) > ENOUGH_RETRIES,
        f"the update tried more than {ENOUGH_RETRIES} times",
    )
    told = article.invocation(invocation)
    assert told["status"] != "completed"
    assert f"There is no todo {message.todo_id}." in told["last_failure"]
