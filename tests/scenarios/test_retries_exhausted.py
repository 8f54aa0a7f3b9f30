"""How long does a bounded retry last?

The article gives a delete three attempts. Restate makes them 50 and 100 milliseconds apart, so they are used up before
any outage is over, and the thirty seconds beside them have no effect. A bound on retries is a bound on the outage that
a user does not notice: it has to be a time, chosen for the outages that one has.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.faultlab.laboratory import Laboratory
from tests.scenarios.article.running import Article
from tests.scenarios.conftest import DELETE_SECONDS, only_restate
from tests.support.browser import Browser
from tests.support.history import Outcome, Verdict
from tests.support.user import delete, new_name, verdict_on
from tests.support.waiting import until
from todo_shared.schemas import TodoItemRequest

OUTAGE_SECONDS = 5.0


def test_outage_of_five_seconds(article: Article, meanwhile: ThreadPoolExecutor) -> None:
    """Three attempts are used up while the database is still down; a delete that has a time instead succeeds."""
    twin, database = article.lab.twin, article.lab.stack.servers["db"]
    articles, ours = twin.add(new_name("doomed")), twin.add(new_name("doomed"))
    database.kill()
    began = time.monotonic()
    calling = meanwhile.submit(article.call, "delete_todo", TodoItemRequest(todo_id=articles["id"]))
    deleting = meanwhile.submit(delete, twin, ours)
    threading.Event().wait(OUTAGE_SECONDS)  # The outage: this is how long it is, not a wait for something.
    given_up = calling.done()
    database.start()

    assert given_up
    assert calling.result().status_code == 500
    assert twin.tasks(articles["title"]) == [articles["title"]]
    attempts = article.attempts("delete_todo", since=began)
    assert len(attempts) == 3
    print(f"the article's three attempts took {attempts[-1] - attempts[0]:.2f} s of an outage of {OUTAGE_SECONDS:g} s")
    assert attempts[-1] - attempts[0] < OUTAGE_SECONDS

    deleted = deleting.result()
    assert deleted.outcome is Outcome.PENDING
    assert verdict_on(twin, deleted) is Verdict.EXACTLY_ONCE


@only_restate
def test_outage_longer_than_the_bound(lab: Laboratory) -> None:
    """When the time of a delete is over while the database is down, its user is told that it could not be done."""
    twin, database = lab.twin, lab.stack.servers["db"]
    by_api, by_form = twin.add(new_name("doomed")), twin.add(new_name("doomed"))
    browser = Browser(twin.url)
    form = browser.form(f"/delete/{by_form['id']}$")
    database.kill()
    deleted = delete(twin, by_api)
    assert browser.submit(form).status_code == 302
    status = f"{twin.url}/api/operations/{deleted.operation_id}"
    until(lambda: twin.call("GET", status).json()["status"] != "pending", "the delete given up")
    operation = twin.call("GET", status).json()
    assert operation["status"] == "rejected"
    assert f"could not be deleted within {DELETE_SECONDS} s" in operation["reason"]
    deleting = "TodoService/delete_todo"
    until(lambda: not any(call["target"] == deleting for call in twin.unfinished()), "the other delete given up")
    database.start()

    (notice,) = browser.notices()
    assert f"failed: The todo could not be deleted within {DELETE_SECONDS} s" in notice
    browser.close()
    assert [twin.tasks(todo["title"]) for todo in (by_api, by_form)] == [[by_api["title"]], [by_form["title"]]]
