"""What was promised and is rejected later: nothing that was typed is lost, and it can be tried again there."""

import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from random import Random

from tests.suite.test_operator import refusing
from tests.suite.test_pending import PENDING, words
from tests.support.browser import Browser, Form
from tests.support.running_twin import RunningTwin
from tests.support.user import new_name
from tests.support.waiting import until


def failed_form(browser: Browser, action: str, button: str) -> Form:
    """Return the form of the write with this action that was rejected, as this button of it submits it."""
    forms = [form for form in browser.forms() if "instead_of" in form.fields]
    (former,) = {form.fields["instead_of"] for form in forms if re.search(action, form.action)}
    (found,) = [f for f in forms if f.fields["instead_of"] == former and re.search(button, f.action)]
    return found


def test_rejected_with_its_text(durable: RunningTwin, mine: Browser) -> None:
    """A promise that ends with a refusal is told in each tab with the text, until it is made again or dismissed."""
    task, other, gone = (
        new_name("rejected").ljust(200, "\u0416"),
        new_name("rejected, too"),
        durable.add(new_name("gone")),
    )
    form, deletion = mine.form("/add"), mine.form(f"/delete/{gone['id']}$")
    durable.writer.kill()
    assert mine.submit(form, task=task).status_code == 302
    assert mine.submit(deletion).status_code == 302
    # It is called by its task, and marked, as long as it is on the page.
    assert f"Deletion of “{gone['title']}”" in words(mine, f"{PENDING} .task")
    assert mine.texts("li[aria-busy=true] .task") == [gone["title"]]
    durable.rows("DELETE FROM todo WHERE id = %s", gone["id"])
    with refusing(durable, task, "no"):
        durable.writer.start()
        assert durable.settle() == []
        until(lambda: f"New todo “{task}” failed: no" in mine.notices(), "the first is told, with all of its text")
        assert any(line.startswith(f"Deletion of todo {gone['id']} failed: ") for line in mine.notices())
        assert mine.submit(failed_form(mine, f"/delete/{gone['id']}$", "/dismiss$")).status_code == 302
        assert mine.notices() == [f"New todo “{task}” failed: no"]
        again = failed_form(mine, "/add", "/add")
        assert again.fields["task"] == task
        assert again.fields["request_id"] != form.fields["request_id"]
        assert mine.submit(again).status_code == 409
        assert mine.notices() != []
    assert mine.submit(again, task=other).status_code == 302
    assert mine.notices() == []
    assert (durable.tasks(task), durable.tasks(other)) == ([], [other])


def test_rejected_features_are_tried_again(durable: RunningTwin, mine: Browser) -> None:
    """What a todo was to carry and is rejected late is told with all that was typed, and its form is filled so."""
    todo, zone, start = durable.add(new_name("carries")), "Europe/Berlin", "2031-03-03T10:00"
    typed = {
        "bounty": {"amount": "12.5", "currency": "CHF"},
        # Too long for the cookie, so that it comes from Restate.
        "watcher": {"url": f"{durable.hook('late')}?{Random(1).randbytes(900).hex()}"},
        "reminder": {"at": start, "zone": zone, "minutes": ""},
        "meeting": {"start": start, "zone": zone, "minutes": "45", "room": "Zürich", "invite": "a@b.example"},
    }
    here = f"/todos/{todo['id']}?page=2&show=active"
    page = mine.get(here)
    durable.writer.kill()
    with ThreadPoolExecutor(len(typed)) as pool:
        answers = pool.map(lambda name: mine.submit(mine.form(f"/{name}$", page), **typed[name]), typed)
        assert [(answer.status_code, answer.headers["location"]) for answer in answers] == [(302, here)] * len(typed)
    assert f"The bounty of “{todo['title']}”" in mine.texts(f"{PENDING} .task", mine.get(here))
    with refusing(durable, "nothing", "no"):
        durable.writer.start()
        assert durable.settle() == []
    page = mine.get(here)
    links = re.findall('href="(/todos/[^"]*instead_of[^"]*)"', page.text)
    for name, values in typed.items():
        words_of = ", ".join(f"{field} {value}" for field, value in values.items() if value)
        told = f" of “{todo['title']}” ({words_of}) failed: no"
        assert [notice for notice in mine.notices(page) if notice.endswith(told)]
        (link,) = [unescape(link) for link in links if link.endswith(f"#{name}")]
        filled = mine.get(link)
        assert values.items() - {("currency", "CHF")} <= mine.form(f"/{name}$", filled).fields.items()
        assert name != "bounty" or '<option selected value="CHF">' in filled.text
        again = mine.submit(mine.form(f"/{name}$", filled), **values)
        assert (again.status_code, again.headers["location"]) == (302, here)
    assert mine.notices() == []


def test_rejected_button_is_pressed_again(durable: RunningTwin, mine: Browser) -> None:
    """Where nothing was typed the notice of a rejection has the button itself; dismissing it leads back."""
    todo, here = durable.add(new_name("pays"))["id"], "/?show=active"
    durable.call("PUT", f"/{todo}/bounty", json={"amount": 100, "currency": "EUR"}).raise_for_status()
    pay = mine.form("/payment$", mine.get(f"/todos/{todo}"))
    durable.writer.kill()
    assert mine.submit(pay).status_code == 302
    bounty = durable.rows("DELETE FROM bounty WHERE todo_id = %s RETURNING amount, currency", todo)
    durable.writer.start()
    assert durable.settle() == []
    for path in (here, f"/todos/{todo}?show=active"):
        (dismissal,) = {form.action: form for form in mine.forms(mine.get(path)) if "dismiss" in form.action}.values()
        kept = mine.session.cookies.copy()
        assert mine.submit(dismissal).headers["location"] == path
        mine.session.cookies = kept
    restate = durable.stack.servers["restate"]
    restate.kill()
    assert mine.notices() == ["1 change is saved. What became of it is told as soon as Restate answers."]
    until(lambda: words(mine, "#way .fails, #way .unknown") == ["Restate does not answer", "service not known"], "so")
    restate.start()
    until(lambda: any(" failed: " in notice for notice in mine.notices()), "Restate tells it again")
    durable.rows("INSERT INTO bounty VALUES (%s, %s, %s)", todo, *bounty[0])
    assert mine.submit(failed_form(mine, "/payment$", "/payment$")).status_code == 302
    assert mine.notices() == []
    assert durable.rows("SELECT status FROM payment WHERE todo_id = %s", todo) == [("paid",)]
    durable.call("POST", f"/{todo}/bounty/refund").raise_for_status()
