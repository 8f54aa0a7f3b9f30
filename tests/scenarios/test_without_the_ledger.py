"""Is `ctx.run` alone exactly once?

Restate writes a step's result down after the step has run. Between the two, the COMMIT has happened and Restate does
not know it: if the service dies there, Restate runs the step again. So the step must recognise that it was done. That
is what the ledger is for, a row written in the same transaction as the change.
"""

from concurrent.futures import ThreadPoolExecutor

import requests

from tests.faultlab.laboratory import SERVICE, Laboratory
from tests.faultlab.wire.messages import Answer
from tests.scenarios.article.running import Article
from tests.scenarios.conftest import only_restate
from tests.support.history import Verdict
from tests.support.user import add, new_name, verdict_on
from todo_shared.schemas import TodoRequest

RESULT_OF_THE_STEP = "ProposeRunCompletion"
"""The service's message with which a step's result goes into Restate's journal."""


def test_article_adds_two(article: Article, meanwhile: ThreadPoolExecutor) -> None:
    """The article's service, killed before its result is in the journal, adds the todo a second time."""
    task = new_name("milk")
    result = article.link.hold(Answer(RESULT_OF_THE_STEP, mentioning=task))
    calling = meanwhile.submit(article.call, "add_todo", TodoRequest(task=task))
    held = result.wait()
    # The todo is there; the result of the step is still on its way to the journal.
    assert article.lab.twin.tasks(task) == [task]
    article.server.kill()
    held.reset()
    article.server.start()

    # Restate keeps its promise that the call will end well, and its user sees one success.
    assert calling.result().status_code == requests.codes.ok
    assert article.lab.twin.tasks(task) == [task, task]


@only_restate
def test_ledger_adds_one(lab: Laboratory, meanwhile: ThreadPoolExecutor) -> None:
    """The TodoService, killed at the same moment, has added one todo in the end."""
    task = new_name("milk")
    result = lab.links[SERVICE].hold(Answer(RESULT_OF_THE_STEP, mentioning=task))
    adding = meanwhile.submit(add, lab.twin, task)
    held = result.wait()
    assert lab.twin.tasks(task) == [task]
    lab.twin.writer.kill()
    held.reset()
    lab.twin.writer.start()

    assert verdict_on(lab.twin, adding.result()) is Verdict.EXACTLY_ONCE
