"""The list is easy to use: it is shown in parts, nothing typed is lost, and a form comes back to where it was."""

import re
from collections.abc import Iterator
from html import escape

import pytest

from tests.support.applications import make_both
from tests.support.browser import Browser, Form
from tests.support.running_twin import RunningTwin
from tests.support.user import new_name

MANY = 205
"""Todos, on three pages."""


@pytest.fixture
def many(twin: RunningTwin) -> Iterator[list[int]]:
    """Three pages of todos and no others, of which every other one is completed: their ids, newest first."""
    # Not through the application, which keeps what is paid for.
    twin.rows("DELETE FROM payment; DELETE FROM todo")
    added = "INSERT INTO todo (task, completed) SELECT 'Buy milk ' || n, n %% 2 = 0 FROM generate_series(1, %s) n"
    rows = twin.rows(f"{added} RETURNING id", MANY)
    yield sorted((row[0] for row in rows), reverse=True)
    twin.rows("DELETE FROM todo WHERE starts_with(task, 'Buy milk ')")


def tasks(browser: Browser, path: str) -> list[str]:
    """Return the tasks on a page."""
    return browser.texts(".todos .task", browser.get(path))


@pytest.mark.usefixtures("many")
def test_filters_and_counts(twin: RunningTwin, browser: Browser) -> None:
    """All, active and completed todos are counted and shown, each with pages of their own; nonsense shows all."""
    completed = len(twin.rows("SELECT id FROM todo WHERE completed"))
    everything = len(twin.rows("SELECT id FROM todo"))
    counts = [int(re.sub(r"\D", "", text)) for text in browser.texts(".filters a small")]
    assert counts == [everything, everything - completed, completed]
    active = tasks(browser, "/?show=active")
    assert active[:2] == ["Buy milk 205", "Buy milk 203"]
    assert tasks(browser, "/?show=active&page=2")[0] == "Buy milk 5"
    assert tasks(browser, "/?show=active&page=9999") == tasks(browser, "/?show=active&page=2")
    assert tasks(browser, "/?show=completed")[0] == "Buy milk 204"
    assert tasks(browser, "/?show=nonsense") == tasks(browser, "/")
    twin.rows("INSERT INTO todo (task) SELECT 'Buy milk ' || n FROM generate_series(1000, 2000) n")
    assert browser.texts(".filters a small")[0] == "1000+"


def test_form_returns_to_its_page(many: list[int], twin: RunningTwin, browser: Browser) -> None:
    """A tick, an edit and a delete on the second page of the active todos lead back there; an add to where it is."""
    todo, here = many[-1], "/?page=2&show=active"
    page = browser.get(here)
    assert browser.submit(browser.form(f"/update/{todo}$", page)).headers["location"] == f"{here}#t{todo}"
    assert twin.rows("SELECT completed FROM todo WHERE id = %s", todo) == [(True,)]
    edit = browser.form(f"/update/{many[-3]}$", browser.get(f"{here}&edit={many[-3]}"))
    assert browser.submit(edit, task="Buy milk soon").headers["location"] == f"{here}#t{many[-3]}"
    assert browser.submit(browser.form(f"/delete/{many[-3]}$", page)).headers["location"] == here
    adds = {shown: browser.form("/add", browser.get(f"/?page=2&show={shown}")) for shown in ("active", "completed")}
    places = [browser.submit(form, task="Buy milk at last").headers["location"] for form in adds.values()]
    assert places == ["/?show=active", "/"]


@pytest.mark.parametrize("wrong", [{"task": "x" * 201}, {"csrf_token": "stale"}], ids=["too long", "stale"])
def test_refused_form_comes_back_on_its_page(
    many: list[int], twin: RunningTwin, browser: Browser, wrong: dict[str, str]
) -> None:
    """What is refused on the second page of a filter comes back there, as it was typed, and leads back there."""
    todo, here = many[-1], "/?page=2&show=active"
    shown = tasks(browser, here)
    typed = {"task": "Buy milk and bread", **wrong}
    add = browser.submit(browser.form("/add", browser.get(here)), **typed)
    edit = browser.submit(browser.form(f"/update/{todo}$", browser.get(f"{here}&edit={todo}")), **typed)
    for answer, action in ((add, "/add"), (edit, f"/update/{todo}$")):
        assert answer.status_code == 400
        assert len(browser.texts("[role=alert]", answer)) == 1
        again = browser.form(action, answer)
        assert (again.fields["task"], again.fields["page"], again.fields["show"]) == (typed["task"], "2", "active")
    assert browser.texts(".todos .task", add) == shown
    assert browser.texts(".todos .task", edit) == shown[:-1]
    with twin.unchanged():
        tick = browser.submit(browser.form(f"/update/{todo}$", browser.get(here)), csrf_token="stale")
        delete = browser.submit(browser.form(f"/delete/{todo}$", browser.get(here)), csrf_token="stale")
    assert [(answer.status_code, browser.texts(".todos .task", answer)) for answer in (tick, delete)] == [
        (400, shown)
    ] * 2


def test_edit_of_a_todo_that_is_elsewhere(many: list[int], twin: RunningTwin, browser: Browser) -> None:
    """A todo can be edited on any page; of one that is gone what was typed is kept, and can be added anew."""
    edit = browser.form(f"/update/{many[-1]}$", browser.get(f"/?edit={many[-1]}"))
    assert edit.fields["task"] == "Buy milk 1"
    for nothing in ("0", "x", "2147483648", "9" * 30, "²"):
        assert 'form="edit"' not in browser.get(f"/?edit={nothing}").text
    twin.call("DELETE", f"/{many[-1]}")
    task = new_name("late")
    missed = browser.submit(edit, task=task)
    assert missed.status_code == 404
    assert browser.submit(browser.form("/add", missed)).status_code == 302
    assert twin.tasks(task) == [task]


def test_clear_completed(many: list[int], twin: RunningTwin, browser: Browser) -> None:
    """The completed todos are deleted and no other, but not those that were paid, and the page tells both."""
    twin.call("PUT", f"/{many[1]}/bounty", json={"amount": 100, "currency": "EUR"})
    assert twin.call("POST", f"/{many[1]}/bounty/payment").status_code == 201
    clear = browser.form("/clear", browser.get("/?show=active"))
    done = browser.submit(clear)
    assert (done.status_code, done.headers["location"]) == (302, "/?show=active")
    (told,) = browser.notices()
    assert "one is kept" in told
    assert browser.notices() == []
    left = twin.rows("SELECT id FROM todo WHERE starts_with(task, 'Buy milk ') ORDER BY id DESC")
    assert [row[0] for row in left] == sorted([many[1], *many[::2]], reverse=True)
    twin.call("POST", f"/{many[1]}/bounty/refund")
    browser.submit(browser.form("/clear"))
    assert browser.notices() == ["The completed todos are deleted."]
    assert twin.rows("SELECT id FROM todo WHERE completed AND starts_with(task, 'Buy milk ')") == []


def test_each_page_is_a_submission_of_its_own(twin: RunningTwin, browser: Browser) -> None:
    """Tick, untick, tick and twice the same new todo are three and two effects, without any page in between."""
    task = new_name("again")
    for _ in range(2):
        assert browser.submit(browser.form("/add"), task=task).status_code == 302
    assert twin.tasks(task) == [task, task]
    todo = twin.todos_named(task)[0][0]
    seen = []
    for _ in range(3):
        assert browser.submit(browser.form(f"/update/{todo}$")).status_code == 302
        seen.append(twin.rows("SELECT completed FROM todo WHERE id = %s", todo)[0][0])
    assert seen == [True, False, True]


@pytest.mark.usefixtures("many")
def test_one_token_and_one_id_for_a_page(browser: Browser) -> None:
    """All forms of a page have the same token and request id, which are in it once for each form, and new each time."""
    pages = [browser.get() for _ in range(2)]
    ids = [{form.fields["request_id"] for form in browser.forms(page)} for page in pages]
    assert [len(each) for each in ids] == [1, 1]
    assert ids[0] != ids[1]
    assert pages[0].text.count('name="csrf_token"') == 2


def test_database_away(many: list[int], twin: RunningTwin, browser: Browser) -> None:
    """With the database away an edit keeps what was typed; the plain twin says that nothing was saved."""
    edit = browser.form(f"/update/{many[-1]}$", browser.get(f"/?edit={many[-1]}&page=3"))
    bounty = browser.form("/bounty$", browser.get(f"/todos/{many[-1]}"))
    database = twin.stack.servers["db"]
    database.stop()
    answers = [browser.submit(edit, task="Buy milk typed"), browser.submit(bounty, amount="12.34", currency="EUR")]
    database.start()
    if twin.which.durable:
        twin.settle()
        assert [answer.status_code for answer in answers] == [302, 302]
        assert twin.tasks("Buy milk typed") == ["Buy milk typed"]
        return
    for answer, form, field, typed in zip(
        answers, (edit, bounty), ("task", "amount"), ("Buy milk typed", "12.34"), strict=True
    ):
        assert answer.status_code == 503
        assert "Nothing was saved" in browser.texts("[role=alert]", answer)[0]
        again: Form = browser.form(form.action, answer)
        assert (again.fields[field], again.fields.get("page")) == (typed, form.fields.get("page"))
        assert browser.submit(again, currency="EUR").status_code == 302
    assert twin.tasks("Buy milk typed") == ["Buy milk typed"]


def test_form_that_cannot_be_done_is_kept(twin: RunningTwin, browser: Browser) -> None:
    """A room that is booked already is refused by others, and the form comes back as it was typed, as a new one."""
    meeting = {
        "start": "2031-03-03T10:00",
        "zone": "UTC",
        "minutes": "30",
        "room": new_name("room"),
        "invite": "a@b.example",
    }
    answers = []
    for _ in range(2):
        page = browser.get(f"/todos/{twin.add(new_name('meeting'))['id']}")
        form = browser.form("/meeting$", page)
        answers.append(browser.submit(form, **meeting))
    assert [answer.status_code for answer in answers] == [302, 409]
    again = browser.form("/meeting$", answers[1])
    assert {name: again.fields[name] for name in meeting} == meeting
    assert again.fields["request_id"] != form.fields["request_id"]


def test_numbers_of_any_length(twin: RunningTwin, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number may have more digits than Python reads, or be written in an unusual way: it is never our fault."""
    many = "9" * 5000
    for app in make_both(monkeypatch):
        assert app.test_client().get(f"/todos/{many}").status_code == 404
    todo = twin.add(new_name("numbers"))["id"]
    assert browser.submit(browser.form(f"/update/{todo}$"), page=many).status_code == 302
    page = browser.get(f"/todos/{todo}")
    meeting = {"start": "2031-03-03T10:00", "zone": "UTC", "room": new_name("room"), "invite": "a@b.example"}
    refused = [
        browser.submit(browser.form("/bounty$", page), amount=amount, currency="EUR")
        for amount in (many, f"1E{many}", "1E999999", "1E-999999", "Infinity")
    ] + [
        browser.submit(browser.form("/reminder$", page), minutes=many),
        browser.submit(browser.form("/meeting$", page), **meeting, minutes=many),
    ]
    assert [answer.status_code for answer in refused] == [400] * len(refused)
    assert browser.submit(browser.form("/meeting$", page), **meeting, minutes="30.0").status_code == 302
    assert twin.rows("SELECT minutes FROM meeting WHERE todo_id = %s", todo) == [(30,)]


def test_a_todos_page_leads_back(many: list[int], twin: RunningTwin, browser: Browser) -> None:
    """From a page of the list to a todo, its forms, its editing and back, as from an error: it is the same page."""
    todo, here = many[-1], "/?page=2&show=active"
    path = f"/todos/{todo}?page=2&show=active"
    listed = browser.get(here)
    assert f'href="{escape(path)}"' in listed.text
    page = browser.get(path)
    for link in (f"{here}#t{todo}", f"/?edit={todo}&page=2&show=active"):
        assert f'href="{escape(link)}"' in page.text
    assert browser.submit(browser.form("/bounty$", page), amount="1", currency="EUR").headers["location"] == path
    delete = browser.form(f"/delete/{todo}$", listed)
    twin.call("DELETE", f"/{todo}").raise_for_status()
    gone = browser.submit(delete)
    assert gone.status_code == 404
    assert f'href="{escape(here)}"' in gone.text
