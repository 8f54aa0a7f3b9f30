"""What becomes of an operation that can never succeed?

Restate runs a step again after any exception but a TerminalError. That is right for a database that is down and wrong
for a todo that does not exist, so the service has to say which of the two it is.
"""

from typing import Any

from tests.faultlab.laboratory import Laboratory
from tests.scenarios.article.running import Article
from tests.support import restate_admin
from tests.support.user import delete, new_name, update
from tests.support.waiting import until
from todo_shared.schemas import TodoUpdateRequest

ENOUGH_RETRIES = 3
"""As many attempts as the article gives a delete. More of them are taken for endless."""


def no_such_todo(lab: Laboratory) -> int:
    """Return the id of a todo that was deleted."""
    todo = lab.twin.add(new_name("gone"))
    assert delete(lab.twin, todo).detail == "204"
    return int(todo["id"])


def test_what_cannot_succeed_is_refused_at_once(lab: Laboratory) -> None:
    """An update of a todo that was deleted is 404 in both twins, and changes nothing."""
    with lab.twin.unchanged():
        todo_id = no_such_todo(lab)
        # The plain twin answers and is done; the Restate twin's handler raises a TerminalError with this status.
        assert update(lab.twin, todo_id, new_name("renamed")).detail == "404"


def test_article_retries_what_cannot_succeed(article: Article) -> None:
    """With a ValueError in its place the same update is tried again and again, and its user gets no answer."""
    message = TodoUpdateRequest(todo_id=no_such_todo(article.lab), task=new_name("new name"))
    invocation_id, admin_url = article.send("update_todo", message), article.lab.stack.ports.admin_url

    def retried() -> dict[str, Any]:
        row = restate_admin.invocation(admin_url, invocation_id)
        return row if row.get("retry_count", 0) > ENOUGH_RETRIES else {}

    row = until(retried, f"more than {ENOUGH_RETRIES} tries of the update")
    assert row["status"] != "completed"
    assert f"There is no todo {message.todo_id}." in row["last_failure"]
