"""One real failure: what its spans tell is what happened, and the page shows it."""

import contextlib
import itertools
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import playwright.sync_api
import psutil
import pytest

from tests.browser.checks import Checks
from tests.support.history import Verdict
from tests.support.logs import log_to
from tests.support.waiting import until
from tests.trace.followed import ATTEMPT, CLICK, Followed, follow_both
from tests.trace.picture.page import render
from tests.trace.picture.waterfall import COMMIT, NEVER_SENT, Row, rows
from tests.trace.sink import SpanRecord
from todo_stack.data_folder import mark_of
from todo_stack.paths import REPOSITORY

KEPT = REPOSITORY / ".github" / "images"
WIDTH, PHONE = 880, 390
MOST_BYTES = 180_000
SHADES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[Followed]:
    """An add in each twin that was killed after COMMIT."""
    folder = tmp_path_factory.mktemp("trace")
    with log_to(folder / "servers.log") as log:
        return follow_both(folder, log, threading.Event())


def below(drawn: list[Row], name: str) -> list[Row]:
    """Return the rows that belong to the one with this name."""
    (at,) = [at for at, row in enumerate(drawn) if row.name == name]
    return list(itertools.takewhile(lambda row: row.depth > drawn[at].depth, drawn[at + 1 :]))


def test_restate_twin(both: list[Followed]) -> None:
    """One trace from the click to the answer, across attempts: the first dies after COMMIT, the last finds its row."""
    followed = both[1]
    assert (followed.told, followed.rows, followed.verdict) == ("201", 1, Verdict.EXACTLY_ONCE)
    assert {span.service for span in followed.spans} == {
        *("client", "flask-todo-restate", "Restate", "flask-todo-restate service")
    }
    first, *_, last = attempts = [span for span in followed.spans if span.name.startswith(ATTEMPT)]
    assert [span.failed for span in attempts] == [True] * (len(attempts) - 1) + [False]
    assert first.begin < followed.commit < followed.killed < first.end < last.begin
    drawn = rows(followed)
    # The COMMIT of attempt 1, its step and its handler died with their process before they could be sent.
    died, *statements, commit = below(drawn, "attempt 1")
    assert (died.name, died.state) == (NEVER_SENT, "lost")
    assert [row.name for row in statements] == ["INSERT todo", "INSERT operation"]
    assert (commit.name, commit.state) == (COMMIT, "lost")
    # Only the ledger tells the last one that it was done: the change is undone, and there is no COMMIT.
    assert [(row.name, row.state) for row in below(drawn, f"attempt {len(attempts)}")] == [
        ("TodoService/add_todo", ""),
        ("db_add", ""),
        ("INSERT todo", ""),
        ("INSERT operation", "failed"),
        ("SELECT operation", ""),
    ]
    (step,) = [span for span in followed.spans if span.name == "db_add"]
    assert step.events == ("ledger hit",)
    assert _path(followed, step) == [
        *("db_add", "TodoService/add_todo", "invocation-attempt TodoService/add_todo"),
        *("invocation-start TodoService/add_todo", "ingress TodoService/add_todo", "POST", "POST /api/todos", CLICK),
    ]
    (request,) = [span for span in followed.spans if span.name == "POST /api/todos"]
    assert request.attributes["http.status_code"] == 201


def _path(followed: Followed, span: SpanRecord) -> list[str]:
    """Return the names of a span and all above it."""
    above = {each.span_id: each for each in followed.spans}.get(span.parent_id)
    return [span.name, *(_path(followed, above) if above else [])]


def test_plain_twin(both: list[Followed]) -> None:
    """The request has no answer and no span: the process that knew of it is gone, and nobody tries again."""
    followed = both[0]
    assert (followed.told, followed.rows, followed.verdict) == ("nothing", 1, Verdict.GHOST)
    click = followed.spans[0]
    assert (click.name, click.failed, click.end > followed.killed) == (CLICK, True, True)
    # A connection that has not been used for half a second is asked before whether it works.
    drawn = [row for row in rows(followed) if row.name != "SELECT 1"]
    assert [row.name for row in drawn] == [CLICK, NEVER_SENT, "INSERT todo", COMMIT]
    assert [row.state for row in drawn] == ["failed", "lost", "", "lost"]


@contextlib.contextmanager
def opened(page_file: Path, chromium: playwright.sync_api.Browser, width: int) -> Iterator[playwright.sync_api.Page]:
    """Open the page in a window of this width."""
    page = chromium.new_page(viewport={"width": width, "height": 800})
    page.goto(page_file.as_uri())
    yield page
    page.close()


def test_picture(
    both: list[Followed], chromium: playwright.sync_api.Browser, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The page is valid and accessible, and fits a phone; the README has it light and dark."""
    page_file = tmp_path / "index.html"
    page_file.write_text(render(both))
    with contextlib.closing(Checks()) as checks, opened(page_file, chromium, WIDTH) as page:
        assert checks.html(page_file.read_text()) == []
        for shade in SHADES:
            page.emulate_media(color_scheme=shade)
            assert checks.page(page) == []
            picture = tmp_path / f"trace-{shade}.png"
            page.locator("#waterfalls").screenshot(path=picture)
            assert picture.stat().st_size < MOST_BYTES
            if request.config.getoption("--pictures"):
                shutil.copy(picture, KEPT)
    with opened(page_file, chromium, PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE


@pytest.mark.whole
def test_whole_run(tmp_path: Path) -> None:
    """`make trace` leaves the page, and nothing that runs."""
    command = [sys.executable, "-m", "tests.trace", "--data", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    page_file = tmp_path / "index.html"
    assert str(page_file) in done.stdout
    page = page_file.read_text()
    for part in (Verdict.GHOST.value, Verdict.EXACTLY_ONCE.value, "attempt 1", "ledger hit", "</html>"):
        assert part in page
    assert _of(tmp_path) == []


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_it_can_be_stopped(tmp_path: Path, asked: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end all that was started."""
    command = [sys.executable, "-m", "tests.trace", "--data", str(tmp_path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as process:
        until(lambda: len(_of(tmp_path)) > 1, "its servers")
        process.send_signal(asked)
        assert process.wait(30) == 130
    assert _of(tmp_path) == []


def _of(data: Path) -> list[psutil.Process]:
    """Return the processes that run on a folder below this one."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(next(iter(mark_of(data))), "").startswith(str(data.resolve())):
                found.append(process)
    return found
