"""The pages are the same in both twins, for good input and for bad."""

import uuid

import pytest
import requests
from bs4 import BeautifulSoup

from tests.support.browser import Browser
from tests.support.running_twin import RunningTwin

BAD_TASKS = {
    "blank": "   ",
    "empty": "",
    "201 characters": "x" * 201,
    "NUL": "a\x00b",
    "escape": "a\x1bb",
    "line break": "a\nb",
    "delete character": "a\x7fb",
}


def name() -> str:
    """Return a task that no other test uses."""
    return f"task {uuid.uuid4()}"


def listed(browser: Browser) -> list[str]:
    """Return the tasks on the page, in its order."""
    page = BeautifulSoup(browser.get().text, "html.parser")
    return [element.get_text() for element in page.select(".todos .task")]


def alert(response: requests.Response) -> str:
    """Return the message of a page."""
    element = BeautifulSoup(response.text, "html.parser").select_one("[role=alert]")
    assert element, response.text
    return element.get_text()


def test_add_update_delete(twin: RunningTwin, browser: Browser) -> None:
    """A todo is added, completed, renamed, reopened and deleted by forms that answer 302 to the list."""
    task, renamed = name(), name()

    added = browser.submit(browser.form("/add"), task=f"  {task} ")
    assert (added.status_code, added.headers["location"]) == (302, "/")
    assert listed(browser)[0] == task
    ((todo_id, completed),) = twin.rows("SELECT id, completed FROM todo WHERE task = %s", task)
    assert completed is False

    toggle, rename, _ = [form for form in browser.forms() if form.action.endswith(f"/{todo_id}")]
    assert browser.submit(toggle).headers["location"] == "/"
    assert twin.rows("SELECT task, completed FROM todo WHERE id = %s", todo_id) == [(task, True)]

    assert browser.submit(rename, task=renamed).status_code == 302
    assert twin.rows("SELECT task, completed FROM todo WHERE id = %s", todo_id) == [(renamed, True)]

    assert browser.submit(browser.form(f"/update/{todo_id}$")).status_code == 302
    assert twin.rows("SELECT task, completed FROM todo WHERE id = %s", todo_id) == [(renamed, False)]

    assert browser.submit(browser.form(f"/delete/{todo_id}$")).status_code == 302
    assert twin.rows("SELECT id FROM todo WHERE id = %s", todo_id) == []
    assert renamed not in listed(browser)


def test_task_and_completed_at_once(twin: RunningTwin, browser: Browser) -> None:
    """One form may change both the task and whether it is completed; updated_at moves on."""
    todo = twin.add(name())
    renamed = name()
    assert browser.submit(browser.form("/update/"), task=renamed, completed="true").status_code == 302
    ((completed, later),) = twin.rows(
        "SELECT completed, updated_at > created_at FROM todo WHERE id = %s AND task = %s", todo["id"], renamed
    )
    assert (completed, later) == (True, True)


@pytest.mark.parametrize("task", BAD_TASKS.values(), ids=BAD_TASKS)
def test_bad_task_is_refused_and_kept(twin: RunningTwin, browser: Browser, task: str) -> None:
    """A task that cannot be accepted is answered with 400, a message, and the form as it was submitted."""
    before = twin.rows("SELECT count(*), max(id) FROM todo")
    form = browser.form("/add")
    refused = browser.submit(form, task=task)
    assert refused.status_code == 400
    assert "A task may" in alert(refused)
    again = browser.form("/add", refused)
    assert again.fields["request_id"] == form.fields["request_id"]
    if task.isprintable():
        assert again.fields["task"] == task
    assert twin.rows("SELECT count(*), max(id) FROM todo") == before


def test_bad_rename_is_refused_and_kept(twin: RunningTwin, browser: Browser) -> None:
    """A rename that cannot be accepted is answered with 400 and the edit form as it was submitted."""
    todo = twin.add(name())
    _, rename = [form for form in browser.forms() if form.action == f"/update/{todo['id']}"]
    refused = browser.submit(rename, task="y" * 201)
    assert refused.status_code == 400
    assert "at most 200 characters" in alert(refused)
    kept = [form.fields.get("task") for form in browser.forms(refused) if form.action == rename.action]
    assert "y" * 201 in kept
    assert browser.submit(rename, task=" ").status_code == 400
    assert twin.rows("SELECT task FROM todo WHERE id = %s", todo["id"]) == [(todo["title"],)]


def test_update_without_anything_is_refused(twin: RunningTwin, browser: Browser) -> None:
    """An update that gives nothing, or a value of completed that is none, is answered with 400."""
    todo = twin.add(name())
    token = browser.form("/add").fields["csrf_token"]
    path = f"{twin.url}/update/{todo['id']}"
    for data in ({}, {"completed": "perhaps"}):
        assert browser.session.post(path, data={"csrf_token": token, **data}).status_code == 400


def test_unknown_todo_is_404(twin: RunningTwin, browser: Browser) -> None:
    """Changing or deleting what is not there is answered with a 404 page, whatever the size of the number."""
    token = browser.form("/add").fields["csrf_token"]
    for todo_id in (2_000_000_000, 2**31, 10**30):
        for path in (f"/update/{todo_id}", f"/delete/{todo_id}"):
            response = browser.session.post(twin.url + path, data={"csrf_token": token, "completed": "true"})
            assert response.status_code == 404, path
            assert "text/html" in response.headers["content-type"]
    assert twin.unfinished() == []


def test_csrf_token_is_required(twin: RunningTwin, browser: Browser) -> None:
    """A form without a token, or with another session's, changes nothing; its text is still on the 400 page."""
    task = name()
    form = browser.form("/add")
    for token in ("", "wrong"):
        refused = browser.submit(form, task=task, csrf_token=token)
        assert refused.status_code == 400
        assert browser.form("/add", refused).fields["task"] == task
    stranger = requests.post(f"{twin.url}/add", data={**form.fields, "task": task}, timeout=10)
    assert stranger.status_code == 400
    assert twin.tasks(task) == []


def test_wrong_request_id_is_refused(twin: RunningTwin, browser: Browser) -> None:
    """A request id that is no UUID is answered with 400; none at all is allowed."""
    task = name()
    form = browser.form("/add")
    assert browser.submit(form, task=task, request_id="no uuid").status_code == 400
    assert twin.tasks(task) == []
    assert browser.submit(form, task=task, request_id="").status_code == 302
    assert twin.tasks(task) == [task]


def test_markup_is_text(twin: RunningTwin, browser: Browser) -> None:
    """Markup in a task is shown as the text that it is."""
    task = f"<script>alert(1)</script><b>{uuid.uuid4()}</b> \"'& ü 漢 😀"
    assert browser.submit(browser.form("/add"), task=task).status_code == 302
    assert task in listed(browser)
    assert "<script>" not in browser.get().text
    assert twin.tasks(task) == [task]


def test_two_hundred_characters_are_accepted(twin: RunningTwin, browser: Browser) -> None:
    """The longest task has 200 characters, however many bytes they take."""
    task = f"{uuid.uuid4()}".ljust(200, "😀")
    assert browser.submit(browser.form("/add"), task=task).status_code == 302
    assert twin.tasks(task) == [task]


def test_wrong_method_and_unknown_page(browser: Browser) -> None:
    """An unknown page is 404, a wrong method 405 with the allowed ones; both are pages."""
    assert browser.get("/nothing").status_code == 404
    wrong = browser.get("/add")
    assert wrong.status_code == 405
    assert "POST" in wrong.headers["allow"]
    assert "text/html" in wrong.headers["content-type"]


def test_oversized_form_is_413(twin: RunningTwin, browser: Browser) -> None:
    """A form larger than the limit is answered with a 413 page."""
    response = browser.session.post(f"{twin.url}/add", data={"task": "x" * 100_000}, timeout=10)
    assert response.status_code == 413


def test_security_headers(browser: Browser) -> None:
    """Pages allow no foreign content and no framing; the session cookie is not for scripts."""
    response = browser.get()
    assert "default-src 'self'" in response.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "HttpOnly" in response.headers["set-cookie"]
    assert "SameSite=Lax" in response.headers["set-cookie"]


def test_health(twin: RunningTwin) -> None:
    """Both health checks answer 200 while everything is there."""
    for path in ("/healthz", "/readyz"):
        assert requests.get(twin.url + path, timeout=10).status_code == 200


def test_long_list_has_pages(twin: RunningTwin, browser: Browser) -> None:
    """The list shows a hundred todos at a time, the newest first, and links to the others."""
    first = twin.add(name())
    for _ in range(100):
        last = twin.add(name())
    assert listed(browser)[0] == last["title"]
    assert len(listed(browser)) == 100
    assert first["title"] not in listed(browser)
    assert 'rel="next"' in browser.get().text
    assert first["title"] in browser.get("/?page=2").text
    for page in ("0", "-1", "x", str(10**30)):
        assert browser.get(f"/?page={page}").status_code == 200
