"""The pages are the same in both twins, for good input and for bad."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.browser import Browser, Form
from tests.support.running_twin import RunningTwin
from tests.support.user import new_name

BAD_TASKS = ["   ", "", "\u200b", "\u2800 \ufeff", "x" * 201, "a\x00b", "a\x1bb", "a\nb", "a\x7fb"]

BAD_REQUEST_IDS = [
    "no uuid",
    "\u0660" * 32,
    "\uff10" * 8 + "-0000-4000-8000-000000000000",
    "0" * 32,
    "{00000000-0000-4000-8000-000000000000}",
    "urn:uuid:00000000-0000-4000-8000-000000000000",
    "ABCDEFAB-0000-4000-8000-000000000000",
    "00000000-0000-4000-8000-000000000000 ",
    "00000000-0000-4000-8000-000000000000\n",
]


def listed(browser: Browser) -> list[str]:
    """Return the tasks on the page, in its order."""
    return browser.texts(".todos .task")


def listed_on(browser: Browser, page: str) -> list[str]:
    """Return the tasks on this page of the list."""
    return browser.texts(".todos .task", browser.get(f"/?page={page}"))


def edit_form(browser: Browser, todo_id: int, page: str = "") -> Form:
    """Return the form that edits this todo in its row."""
    return browser.form(f"/update/{todo_id}$", browser.get(f"/?edit={todo_id}{page}"))


def alert(browser: Browser, response: requests.Response) -> str:
    """Return the message of a page."""
    (text,) = browser.texts("[role=alert]", response)
    return text


def status_of_page(response: requests.Response) -> int:
    """Return the status of an answer that is a page."""
    assert "text/html" in response.headers["content-type"]
    return response.status_code


def test_add_update_delete(twin: RunningTwin, browser: Browser) -> None:
    """A todo is added, completed, renamed, reopened and deleted by forms that answer 302 to the list."""
    task, renamed = new_name("task"), new_name("renamed")
    added = browser.submit(browser.form("/add"), task=f"  {task} ")
    assert (added.status_code, added.headers["location"]) == (302, "/")
    assert listed(browser)[0] == task
    ((todo_id, *values),) = twin.todos_named(task)
    assert values == [task, False, None]

    toggle = browser.form(f"/update/{todo_id}$")
    assert browser.submit(toggle).headers["location"] == f"/#t{todo_id}"
    assert twin.todos_named(task) == [(todo_id, task, True, None)]
    assert browser.submit(edit_form(browser, todo_id), task=renamed).status_code == 302
    assert twin.todos_named(renamed) == [(todo_id, renamed, True, None)]
    assert browser.submit(browser.form(f"/update/{todo_id}$")).status_code == 302
    assert twin.todos_named(renamed) == [(todo_id, renamed, False, None)]
    assert browser.submit(browser.form(f"/delete/{todo_id}$")).status_code == 302
    assert twin.todos_named(renamed) == []
    assert renamed not in listed(browser)


def test_task_and_completed_at_once(twin: RunningTwin, browser: Browser) -> None:
    """One form may change both the task and whether it is completed; updated_at moves on."""
    todo, renamed = twin.add(new_name("todo")), new_name("renamed")
    assert browser.submit(browser.form("/update/"), task=renamed, completed="true").status_code == 302
    changed = "SELECT id, completed, updated_at > created_at FROM todo WHERE task = %s"
    assert twin.rows(changed, renamed) == [(todo["id"], True, True)]


@pytest.mark.parametrize("task", BAD_TASKS, ids=lambda task: ascii(task)[:9])
def test_bad_task_is_refused_and_kept(twin: RunningTwin, browser: Browser, task: str) -> None:
    """A bad task is answered with 400, a message, and the form as it was submitted, and adds nothing."""
    form = browser.form("/add")
    with twin.unchanged():
        refused = browser.submit(form, task=task)
    assert refused.status_code == 400
    assert "A task may" in alert(browser, refused)
    again = browser.form("/add", refused)
    assert again.fields["request_id"] == form.fields["request_id"]
    # A browser would not send back what it cannot show.
    assert again.fields["task"] == task or not task.isprintable()


def test_bad_rename_is_refused_and_kept(twin: RunningTwin, browser: Browser) -> None:
    """A bad rename is answered with 400, a message, and the edit form as it was submitted, and changes nothing."""
    todo = twin.add(new_name("todo"))
    rename = edit_form(browser, todo["id"])
    with twin.unchanged():
        refused, blank = (browser.submit(rename, task=task) for task in ("y" * 201, " "))
    assert (refused.status_code, blank.status_code) == (400, 400)
    assert "at most 200 characters" in alert(browser, refused)
    assert "y" * 201 in [form.fields.get("task") for form in browser.forms(refused) if form.action == rename.action]


def test_update_without_anything_is_refused(twin: RunningTwin, browser: Browser) -> None:
    """An update that gives nothing, or something that is no value of completed, is 400 and changes nothing."""
    form = Form(
        f"/update/{twin.add(new_name('todo'))['id']}", {"csrf_token": browser.form("/add").fields["csrf_token"]}
    )
    with twin.unchanged():
        answers = [browser.submit(form), browser.submit(form, completed="perhaps")]
    assert [answer.status_code for answer in answers] == [400, 400]


def test_unknown_todo_is_404(twin: RunningTwin, browser: Browser) -> None:
    """Changing or deleting a todo that does not exist is a 404 page, however large its number; nothing changes."""
    token = {"csrf_token": browser.form("/add").fields["csrf_token"], "completed": "true"}
    paths = [f"/{verb}/{todo_id}" for verb in ("update", "delete") for todo_id in (2 * 10**9, 2**31, 10**30)]
    with twin.unchanged():
        assert [status_of_page(browser.submit(Form(path, token))) for path in paths] == [404] * len(paths)


def test_csrf_token_is_required(twin: RunningTwin, browser: Browser) -> None:
    """A form without a token, or with another session's, changes nothing; its text is still on the 400 page."""
    task, form = new_name("task"), browser.form("/add")
    with twin.unchanged():
        for token in ("", "wrong"):
            refused = browser.submit(form, task=task, csrf_token=token)
            assert refused.status_code == 400
            assert browser.form("/add", refused).fields["task"] == task
        stranger = requests.post(f"{twin.url}/add", data={**form.fields, "task": task}, timeout=10)
        assert stranger.status_code == 400


@pytest.mark.parametrize("request_id", BAD_REQUEST_IDS, ids=ascii)
def test_wrong_request_id_is_refused(twin: RunningTwin, browser: Browser, request_id: str) -> None:
    """A request id that is no UUID as we write it is 400 and adds nothing; the form then has a new one."""
    task, form = new_name("task"), browser.form("/add")
    with twin.unchanged():
        refused = browser.submit(form, task=task, request_id=request_id)
    assert refused.status_code == 400
    assert "request id" in alert(browser, refused)
    assert browser.submit(browser.form("/add", refused)).status_code == 302
    assert twin.tasks(task) == [task]
    without_token = browser.submit(form, task=task, request_id=request_id, csrf_token="")
    assert browser.submit(browser.form("/add", without_token)).status_code == 302
    assert twin.tasks(task) == [task, task]


def test_request_id_may_be_missing(twin: RunningTwin, browser: Browser) -> None:
    """A form without a request id is accepted."""
    task = new_name("task")
    assert browser.submit(browser.form("/add"), task=task, request_id="").status_code == 302
    assert twin.tasks(task) == [task]


@pytest.mark.parametrize("name", ["task", "completed", "request_id", "csrf_token", "anything"])
def test_file_is_refused(twin: RunningTwin, browser: Browser, name: str) -> None:
    """A file where a text belongs is 400, whatever its name, and changes nothing."""
    todo = twin.add(new_name("kept"))
    fields = {**browser.form("/add").fields, "task": new_name("file")}
    texts: dict[str, tuple[str | None, str]] = {key: (None, value) for key, value in fields.items()}
    with twin.unchanged():
        for path in ("/add", f"/update/{todo['id']}", f"/delete/{todo['id']}"):
            for files in ({**texts, name: ("a.txt", "text")}, {**texts, f"{name} ": ("", "")}):
                answer = browser.session.post(browser.url + path, files=files, allow_redirects=False, timeout=10)
                assert status_of_page(answer) == 400
    assert browser.session.post(f"{browser.url}/add", files=texts, timeout=10).status_code == 200
    assert twin.tasks(fields["task"]) == [fields["task"]]


def test_part_without_a_name_is_refused(twin: RunningTwin, browser: Browser) -> None:
    """A part of a form that has no name is 400, and adds nothing."""
    body = "--b\r\nContent-Disposition: form-data; nam%00\r\n\r\nx\r\n--b--\r\n"
    with twin.unchanged():
        answer = browser.session.post(
            f"{browser.url}/add", data=body, headers={"content-type": "multipart/form-data; boundary=b"}, timeout=10
        )
        assert status_of_page(answer) == 400


@pytest.mark.parametrize("body", [{"task": 5}, {"task": ["x"]}, ["task"], "task", None], ids=str)
def test_json_is_no_form(twin: RunningTwin, browser: Browser, body: object) -> None:
    """JSON where a form belongs is 400, also with a good token in a header, and adds nothing."""
    token = {"X-CSRFToken": browser.form("/add").fields["csrf_token"]}
    with twin.unchanged():
        answer = browser.session.post(f"{browser.url}/add", json=body, headers=token, timeout=10)
    assert status_of_page(answer) == 400


def test_markup_is_text(twin: RunningTwin, browser: Browser) -> None:
    """Markup in a task is stored and shown as text."""
    task = "<script>alert(1)</script><b>" + new_name("bold") + "</b> \"'& ü 漢 😀"
    assert browser.submit(browser.form("/add"), task=task).status_code == 302
    assert task in listed(browser)
    assert "<script>" not in browser.get().text
    assert twin.tasks(task) == [task]


def test_two_hundred_characters_are_accepted(twin: RunningTwin, browser: Browser) -> None:
    """The longest task has 200 characters, however many bytes they take."""
    task = new_name("long").ljust(200, "😀")
    assert browser.submit(browser.form("/add"), task=task).status_code == 302
    assert twin.tasks(task) == [task]


def test_requests_that_are_no_form(twin: RunningTwin, browser: Browser) -> None:
    """An unknown page is 404, a wrong method 405, a form over the limit 413; all are pages, and nothing changes."""
    form = browser.form("/add")
    with twin.unchanged():
        wrong_method = browser.get("/add?task=by+a+link")
        answers = [browser.get("/nothing"), wrong_method, browser.submit(form, task="x" * 100_000)]
    assert [status_of_page(answer) for answer in answers] == [404, 405, 413]
    assert set(wrong_method.headers["allow"].split(", ")) == {"OPTIONS", "POST"}


def test_security_headers(browser: Browser) -> None:
    """Pages allow no foreign content and no framing; the session cookie is not for scripts."""
    headers = browser.get().headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=Lax" in headers["set-cookie"]


def test_health(browser: Browser) -> None:
    """Both health checks answer 200 while everything runs."""
    assert [browser.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]


def test_long_list_has_pages(twin: RunningTwin, browser: Browser) -> None:
    """The list shows a hundred todos at a time, the newest first, and links to the others."""
    marker = new_name("page")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: twin.add(f"{marker} {number}"), range(101)))
    newest_first = twin.tasks(marker)[::-1]
    assert listed(browser) == newest_first[:100]
    assert 'rel="next"' in browser.get().text
    assert listed_on(browser, "2")[0] == newest_first[100]
    last = (len(twin.todos()) + 99) // 100
    numbers = {"0": 1, "-1": 1, "x": 1, "\u0662": 1, "9999": last, str(10**6): last, str(10**30): last}
    for page, shown in numbers.items():
        assert listed_on(browser, page) == listed_on(browser, str(shown))
