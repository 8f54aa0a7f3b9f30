"""A form that is refused gets its reason, also where the page that it is on cannot be shown any more."""

import pytest

from tests.support.browser import Browser
from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin
from tests.support.user import new_name


@pytest.mark.parametrize("wrong", [{}, {"csrf_token": "stale"}, {"amount": "-1"}], ids=["as it is", "stale", "wrong"])
def test_form_of_a_todo_that_is_gone(twin: RunningTwin, browser: Browser, wrong: dict[str, str]) -> None:
    """Each form of a todo's page says that it is gone, whatever else is wrong with it."""
    todo_id = twin.add(new_name("gone"))["id"]
    page = browser.get(f"/todos/{todo_id}")
    forms = [form for form in browser.forms(page) if form.action.startswith(f"/todos/{todo_id}/")]
    assert len(forms) >= len(("watcher", "reminder", "meeting", "bounty"))
    assert twin.call("DELETE", f"/{todo_id}").status_code == 204
    for form in forms:
        answer = browser.submit(form, **wrong)
        assert (answer.status_code, f"There is no todo {todo_id}." in answer.text) == (404, True), form.action


def test_refused_while_the_database_is_away(durable: RunningTwin) -> None:
    """What Restate remembers as declined is told with its reason, although the todo cannot be shown."""
    browser = Browser(durable.url)
    world = OutsideWorldClient(durable.stack.outside_world_url(durable.which), durable.which.key)
    todo_id = durable.add(new_name("declined"))["id"]
    durable.call("PUT", f"/{todo_id}/bounty", json={"amount": 1, "currency": "EUR"})
    pay = browser.form("/bounty/pay", browser.get(f"/todos/{todo_id}"))
    with world.told_for(todo_id, "payments", "reject"):
        declined = browser.submit(pay)
    (reason,) = browser.texts("[role=alert]", declined)
    durable.stack.servers["db"].kill()
    again = browser.submit(pay)
    assert declined.status_code == again.status_code == 402
    assert reason.strip() in again.text
    browser.close()
