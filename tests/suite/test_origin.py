"""Behind a proxy that serves HTTPS: from which pages a form may come, and for which hosts requests are taken."""

from collections.abc import Iterator

import pytest
import requests

from tests.support.browser import Browser
from tests.support.raw_http import JSON, exchange, request
from tests.support.running_twin import RunningTwin
from tests.support.user import new_name
from tests.support.web_beside import web_beside
from todo_stack.stack import Stack
from todo_stack.twins import TWINS

HOST = "todo.example"
ORIGIN = f"https://{HOST}"
HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": HOST}

FROM_OUR_PAGE = [
    {"Referer": f"{ORIGIN}/"},
    {"Origin": ORIGIN},
    {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"},
    # What a browser sends that is not to send any Referer.
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-origin"},
    # Through a proxy that asks us for another host.
    {"Origin": f"https://{HOST}.elsewhere.example", "Sec-Fetch-Site": "same-origin"},
]
FROM_ANOTHER = [
    {"Origin": "https://elsewhere.example"},
    {"Origin": f"{ORIGIN}:8443", "Referer": f"{ORIGIN}/"},
    {"Origin": "https://[", "Referer": f"{ORIGIN}/"},
    *({"Origin": ORIGIN, "Sec-Fetch-Site": site} for site in ("cross-site", "same-site")),
]
ONLY_OVER_HTTPS = [
    {"Origin": f"http://{HOST}"},
    {"Referer": f"http://{HOST}/"},
    {"Referer": "https://elsewhere.example/"},
]


@pytest.fixture(scope="module", params=TWINS, ids=str)
def behind_proxy(request: pytest.FixtureRequest, native_stack: Stack) -> Iterator[RunningTwin]:
    """Each of the twins in turn, with settings for a proxy in front."""
    settings = {"TRUSTED_PROXIES": "1", "TRUSTED_HOSTS": f"{HOST}, .below.example, [::1]"}
    with web_beside(RunningTwin(request.param, native_stack), settings) as twin:
        yield twin


@pytest.fixture
def browser(behind_proxy: RunningTwin) -> Iterator[Browser]:
    """A browser that uses the proxy."""
    browser = Browser(behind_proxy.url)
    browser.session.headers.update(HTTPS)
    yield browser
    browser.close()


def submit(browser: Browser, task: str, told: dict[str, str]) -> requests.Response:
    """Submit a good form with these headers."""
    form = browser.form("/add")
    browser.session.headers.update(told)
    try:
        return browser.submit(form, task=task)
    finally:
        for name in told:
            del browser.session.headers[name]


def test_form_from_our_page(behind_proxy: RunningTwin, browser: Browser) -> None:
    """With a good token, any header that says that the form is from here is enough."""
    task = new_name("ours")
    assert [submit(browser, task, told).status_code for told in FROM_OUR_PAGE] == [302] * len(FROM_OUR_PAGE)
    assert behind_proxy.tasks(task) == [task] * len(FROM_OUR_PAGE)


@pytest.mark.parametrize("told", [*FROM_ANOTHER, *ONLY_OVER_HTTPS], ids=str)
def test_form_from_another_page(behind_proxy: RunningTwin, browser: Browser, told: dict[str, str]) -> None:
    """A good token does not help where a header says that the form is from elsewhere; the text is kept."""
    task = new_name("foreign")
    with behind_proxy.unchanged():
        refused = submit(browser, task, told)
    assert refused.status_code == 400
    assert "another site" in refused.text
    assert browser.form("/add", refused).fields["task"] == task


def test_form_from_nobody_knows_where(behind_proxy: RunningTwin, browser: Browser) -> None:
    """Where no header says from where a form is, its user reads which are missing; over plain HTTP it is accepted."""
    task = new_name("nowhere")
    with behind_proxy.unchanged():
        for told in ({}, {"Origin": "null"}):
            refused = submit(browser, task, told)
            assert refused.status_code == 400
            assert "no Origin, no Sec-Fetch-Site and no Referer" in refused.text
    assert submit(browser, task, {"X-Forwarded-Proto": "http"}).status_code == 302
    browser.session.headers["X-Forwarded-Proto"] = "https"
    assert behind_proxy.tasks(task) == [task]


def test_form_from_another_page_over_http(twin: RunningTwin) -> None:
    """Over plain HTTP, too, a form is refused where a header says that it is from elsewhere."""
    browser, task = Browser(twin.url), new_name("foreign")
    with twin.unchanged():
        answers = [submit(browser, task, told) for told in FROM_ANOTHER]
    browser.close()
    assert [answer.status_code for answer in answers] == [400] * len(FROM_ANOTHER)


def test_trusted_hosts(behind_proxy: RunningTwin) -> None:
    """Only hosts of the setting are served, whoever names them; health checks are, at any address."""

    def status(host: str, *headers: str, path: str = "/api/todos") -> int:
        return exchange(behind_proxy.url, request("GET", path, JSON, *headers, host=host)).status

    trusted = [HOST, HOST.upper(), f"{HOST}:8443", "a.below.example", "a.b.below.example", "[::1]:80"]
    assert [status(host) for host in trusted] == [200] * len(trusted)
    others = ["127.0.0.1", "below.example", f"a{HOST}", f"{HOST}.elsewhere.example", "[::2]"]
    assert [status(host) for host in others] == [400] * len(others)
    assert [status(HOST, f"X-Forwarded-Host: {host}") for host in (HOST, "a b", "elsewhere.example")] == [200, 400, 400]
    assert status(HOST, "X-Forwarded-Proto: gopher") == 400
    assert [status("127.0.0.1", path=path) for path in ("/healthz", "/readyz")] == [200, 200]
    assert status("elsewhere.example", path="/") == 400


def test_links_have_the_outer_address(behind_proxy: RunningTwin) -> None:
    """Links are made of what the proxy says."""
    url = behind_proxy.call("POST", json={"title": new_name("outer")}, headers=HTTPS).json()["url"]
    assert url.startswith(f"{ORIGIN}/api/todos/")
