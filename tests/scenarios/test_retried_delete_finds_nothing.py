"""What does a user read whose delete worked, whose answer was lost, and who tries again?

Deleting twice does no harm to the data. It harms the users, who read that there is no such todo, and cannot know that
their own first try has deleted it.
"""

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Answer
from tests.scenarios.article.running import Article
from tests.support.history import Verdict
from tests.support.user import delete, new_name, verdict_on
from todo_shared.schemas import TodoItemRequest
from todo_stack.twins import PLAIN, RESTATE

EXPECTED = {
    # First "the database is not available", then "not found": twice a failure, and the todo is gone.
    PLAIN: (["503", "404"], Verdict.GHOST),
    # The ledger has the result of the step that worked, and every repetition gets that.
    RESTATE: (["204", "204"], Verdict.EXACTLY_ONCE),
}


def test_retried_delete_finds_nothing(lab: Laboratory) -> None:
    """The plain twin calls a delete that worked a failure, twice; the Restate twin says both times that it worked."""
    todo = lab.twin.add(new_name("doomed"))
    lost = lab.database.cut(Answer("COMMIT", mentioning=todo["id"]))
    deleted = delete(lab.twin, todo)
    lost.wait()
    again = delete(lab.twin, todo, deleted.key)

    assert ([deleted.detail, again.detail], verdict_on(lab.twin, again)) == EXPECTED[lab.which]


def test_article_reports_its_own_delete_as_a_failure(article: Article) -> None:
    """Without a ledger the step that Restate repeats finds nothing, three times, and the user reads of a failure."""
    todo = article.lab.twin.add(new_name("doomed"))
    lost = article.lab.database.cut(Answer("COMMIT", mentioning=todo["id"]))
    answer = article.call("delete_todo", TodoItemRequest(todo_id=todo["id"]))
    lost.wait()

    assert answer.status_code == 500
    assert f"There is no todo {todo['id']}." in answer.text
    assert article.lab.twin.tasks(todo["title"]) == []


def test_another_delete_is_not_found(lab: Laboratory) -> None:
    """The ledger remembers the operation and not the todo: somebody else's delete of it is 404 in both twins."""
    todo = lab.twin.add(new_name("doomed"))
    assert [delete(lab.twin, todo).detail for _ in range(2)] == ["204", "404"]
    assert lab.twin.tasks(todo["title"]) == []
