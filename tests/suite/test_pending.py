"""What was promised and is not applied yet: in the list, as Restate tells it, until it is applied or rejected."""

import contextlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import playwright.sync_api
import pytest
import requests
from playwright.sync_api import expect

from flask_todo_restate import background
from tests.support.browser import Browser
from tests.support.running_twin import RunningTwin
from tests.support.user import new_name
from tests.support.waiting import until
from tests.support.web_beside import web_beside
from todo_shared.outages import log
from todo_stack.stack import Stack
from todo_stack.twins import PLAIN, RESTATE

JSON = {"content-type": "application/json"}
FAILED = "#way .fails"
PENDING = "li.pending"
LOOK_AT_BUSY = """new MutationObserver(([{ target }]) => {
  sessionStorage.busy = `${target.innerText} ${getComputedStyle(target, "::before").animationName}`;
}).observe(document.body, { subtree: true, attributeFilter: ["aria-busy"] })"""


@pytest.fixture
def others(durable: RunningTwin) -> Iterator[Browser]:
    """Somebody else's browser."""
    with contextlib.closing(Browser(durable.url)) as browser:
        yield browser


def words(browser: Browser, selector: str) -> list[str]:
    """Return the texts of elements of the list's page, each on one line."""
    return [re.sub(r"\s+", " ", text).strip() for text in browser.texts(selector)]


def test_pending_for_everybody(durable: RunningTwin, mine: Browser, others: Browser) -> None:
    """While the database is down all browsers see what is pending, since when, how often tried and why not yet."""
    tasks, database = [new_name("pending") for _ in range(3)], durable.stack.servers["db"]
    form = mine.form("/add")
    database.kill()
    for task in tasks:
        assert mine.submit(form, task=task).status_code == 302
        # At once, before Restate's tables are asked again.
        assert task in mine.texts(f"{PENDING} .task")
    until(lambda: others.texts(f"{PENDING} .task") == tasks[::-1], "another browser sees all three, the latest first")
    why = until(
        lambda: [line for line in words(others, f"{PENDING} .why") if "available" in line], "the attempts are told"
    )
    assert re.match(
        r"New todo, since \d{4}-\d\d-\d\d \S+ UTC, tried (once|\d+ times): the database is not available: ", why[0]
    )
    assert ("Look at it in Restate" in why[0]) == bool(durable.web.env.get("DASHBOARD_URL"))
    assert "3 changes are saved and will be applied." in mine.notices()
    assert words(mine, FAILED) == ["PostgreSQL does not answer"]
    assert "service works" in words(others, "#way .works")
    database.start()
    assert durable.settle() == []
    # By its ids, this browser knows sooner than the others.
    assert (mine.texts(PENDING), mine.notices(), mine.texts(FAILED)) == ([], [], [])
    until(lambda: others.texts(PENDING) == [], "the others know")
    assert sorted(durable.tasks("pending")[-3:]) == sorted(tasks)


def test_pending_outlives_the_web(durable: RunningTwin, mine: Browser, others: Browser) -> None:
    """A write that waits for the service is still shown after the web was killed; all its text is known again."""
    task = new_name("outlives").ljust(200, "\U0001f600")
    durable.writer.kill()
    assert mine.submit(mine.form("/add"), task=task).status_code == 302
    durable.web.kill()
    durable.web.start()
    assert mine.texts(f"{PENDING} .task")[0].startswith(task[:50])
    until(lambda: others.texts(f"{PENDING} .task") == [task], "another browser sees it")
    until(lambda: "the service does not answer" in words(others, f"{PENDING} .why")[0], "the reason is told")
    assert words(others, FAILED) == ["service does not answer"]
    durable.writer.start()
    assert durable.settle() == []
    assert durable.tasks(task) == [task]


def test_late_writes_lead_back(durable: RunningTwin, mine: Browser) -> None:
    """A promise leads back to its page of the list; a clearing that is late tells what it kept, until dismissed."""
    paid = durable.add(new_name("paid"))["id"]
    durable.call("PUT", f"/{paid}/bounty", json={"amount": 100, "currency": "EUR"}).raise_for_status()
    durable.call("POST", f"/{paid}/bounty/payment").raise_for_status()
    durable.call("PATCH", f"/{paid}", json={"completed": True}).raise_for_status()
    page = mine.get("/?show=completed")
    durable.writer.kill()
    assert mine.submit(mine.form("/clear", page)).headers["location"] == "/?show=completed"
    assert mine.submit(mine.form("/add", page), task=new_name("late")).headers["location"] == "/"
    durable.writer.start()
    assert durable.settle() == []
    for _ in range(2):
        (told,) = mine.notices()
        assert "not all" in told
    assert mine.submit(mine.form("/dismiss$")).status_code == 302
    assert mine.notices() == []
    durable.call("POST", f"/{paid}/bounty/refund").raise_for_status()


@pytest.mark.whole
def test_without_the_admin_api(durable: RunningTwin, native_stack: Stack) -> None:
    """Where Restate's tables cannot be asked, each of three tabs still knows what it was promised, and its end."""
    del native_stack
    tasks = [new_name("tab") for _ in range(3)]
    with web_beside(durable, {"RESTATE_ADMIN_URL": "http://127.0.0.1:1"}) as beside:
        browser = Browser(beside.url)
        form = browser.form("/add")
        durable.writer.kill()
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(lambda task: browser.submit(form, task=task), tasks))
        assert [answer.status_code for answer in answers] == [302] * 3
        assert sorted(browser.texts(f"{PENDING} .task")) == sorted(tasks)
        # Nobody tells how the service is.
        assert words(browser, "#way .unknown") == ["service not known"]
        durable.writer.start()
        assert durable.settle() == []
        assert browser.texts(PENDING) == []
        assert set(tasks) <= set(browser.texts(".todos .task"))
        browser.close()


def test_more_than_are_listed(durable: RunningTwin, others: Browser, native_stack: Stack) -> None:
    """Of many calls the latest fifty are listed, and the others counted, whatever messages anybody has sent."""
    durable.writer.kill()
    send = f"{native_stack.ports.ingress_url}/restate/send/TodoService/add_todo"
    strange = [[1], "text", None, {"task": {"x": []}, "todo_id": [1]}, {"todo_id": "1"}]
    with requests.Session() as session:
        for message in [*({"task": new_name(f"many {number}")} for number in range(47)), *strange]:
            assert session.post(send, data=json.dumps(message), headers=JSON, timeout=30).ok
    until(lambda: words(others, PENDING)[50:] == ["and 2 more"], "fifty are listed")
    assert others.notices() == ["52 changes are saved and will be applied."]
    durable.writer.start()
    assert durable.settle() == []


def test_asking_goes_on(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw is logged once, with its trace, and what is pending is asked for again and again."""
    answers = iter([RuntimeError("bug"), requests.ConnectionError(), RuntimeError("bug")])

    def ask() -> str:
        answer = next(answers, "told")
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(background, "INTERVAL_SECONDS", 0)
    asking = background.Background(ask, "nothing")
    until(lambda: asking.look() == "told", "an answer comes in the end")
    assert [record.exc_info is not None for record in caplog.records if record.name == log.name] == [True]


def test_fetched_again(twin: RunningTwin, browser: Browser) -> None:
    """A script gets a page again only if it has changed, and then with another request id."""
    assert "ETag" not in browser.get().headers

    def fetch(etag: str) -> requests.Response:
        return browser.session.get(twin.url, headers={"If-None-Match": etag}, timeout=30)

    def unchanged() -> requests.Response | None:
        page = fetch('""')
        same = fetch(page.headers["ETag"])
        return page if (same.status_code, same.text) == (304, "") else None

    # What other tests have left pending may still be told of.
    first = until(unchanged, "nothing changes")
    assert first
    twin.add(new_name("changed"))
    changed = fetch(first.headers["ETag"])
    assert changed.status_code == 200
    assert browser.form("/add", changed).fields["request_id"] != browser.form("/add", first).fields["request_id"]


def test_page_follows_by_itself(twin: RunningTwin, chromium: playwright.sync_api.Browser) -> None:
    """An open page shows what others do, and outages, while what is typed and the focus stay."""
    typed, task, database = "half a thought", new_name("by itself"), twin.stack.servers["db"]
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(twin.url)
        new = page.get_by_label("New task")
        new.fill(typed)
        database.kill()
        # As a window does that is looked at again: it is fetched soon.
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.get_by_role("alert")).to_contain_text("The database is not available")
        expect(page.locator(FAILED)).to_contain_text("PostgreSQL")
        assert twin.call("POST", json={"title": task}).status_code == {PLAIN: 503, RESTATE: 202}[twin.which]
        expect(page.locator(PENDING)).to_have_count({PLAIN: 0, RESTATE: 1}[twin.which])
        database.start()
        expect(page.locator(f"{FAILED}, {PENDING}")).to_have_count(0)
        expect(page.get_by_role("listitem").filter(has_text=task)).to_have_count({PLAIN: 0, RESTATE: 1}[twin.which])
        expect(new).to_be_focused()
        expect(new).to_have_value(typed)


def test_pressed_button_shows_that_it_waits(twin: RunningTwin, chromium: playwright.sync_api.Browser) -> None:
    """Until the answer comes the button that was pressed turns; on the next page, and after Back, it does not."""
    task = new_name("waits")
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(twin.url)
        page.get_by_label("New task").fill(task)
        add, busy = page.get_by_role("button", name="Add", exact=True), page.locator("button[aria-busy=true]")
        # The next page is told, for nobody can look at one that is being left.
        page.evaluate(LOOK_AT_BUSY)
        add.click()
        expect(page.get_by_role("listitem").filter(has_text=task)).to_be_visible()
        assert page.evaluate("sessionStorage.busy") == "Add turn"
        expect(busy).to_have_count(0)
        page.go_back()
        expect(add).to_be_visible()
        expect(busy).to_have_count(0)
