"""What users are told of an error of the database: never a 500, never PostgreSQL's own words, and the text is kept."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import psycopg2
import pytest
from flask.testing import FlaskClient
from psycopg2 import errorcodes
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from flask_todo.app import create_app as plain_app
from flask_todo_restate.app import create_app as restate_app
from flask_todo_restate.settings import WebSettings
from tests.support import restate_admin
from tests.support.browser import Browser
from tests.support.database import execute
from tests.support.running_twin import RunningStack, RunningTwin
from tests.support.user import new_name
from todo_shared.models import database, db
from todo_shared.outages import Outage
from todo_shared.settings import Settings
from todo_stack.twins import TWINS

ITS_WORDS = "the words of PostgreSQL"

RAISE = f"""
    CREATE FUNCTION raise_what_is_asked() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{ITS_WORDS}' USING ERRCODE = left(NEW.task, 5); END $$;
    CREATE TRIGGER raise_what_is_asked BEFORE INSERT ON todo FOR EACH ROW WHEN (NEW.task LIKE '_____ raised %')
    EXECUTE FUNCTION raise_what_is_asked();
"""

ENDS = {"22": 422, "23": 409, "54": 422, "2200H": 507, "P0001": 409}
"""What no repeat can mend, by code or class. All other errors may be over in a moment, or with the next migration."""

CODES = {str(code) for name, code in vars(errorcodes).items() if name.isupper() and len(str(code)) == 5} - {"00000"}
OF_EACH_CLASS = sorted({min(code for code in CODES if code[:2] == kind) for kind in {code[:2] for code in CODES}})
SOME = sorted({*OF_EACH_CLASS, *(code for code in ENDS if code in CODES), "40P01", "42703", "53100", "57014"})

LAST_ID = 2**31 - 1


class InProcess(NamedTuple):
    """A web application in this process, with one connection and little patience."""

    client: FlaskClient
    engine: Engine
    url: str


@pytest.fixture
def raising(twin: RunningTwin) -> Iterator[None]:
    """Let the database raise the error with which a new task begins."""
    twin.rows(RAISE)
    yield
    if twin.which.durable:
        restate_admin.give_up(twin.stack.ports.admin_url)
    twin.rows("DROP FUNCTION raise_what_is_asked CASCADE")


@contextlib.contextmanager
def one_id_left(twin: RunningTwin) -> Iterator[None]:
    """Let the table have one id left; afterwards it has all its others again."""
    ((used,),) = twin.rows("SELECT nextval(pg_get_serial_sequence('todo', 'id'))")
    twin.rows(f"ALTER TABLE todo ALTER id RESTART WITH {LAST_ID}")
    try:
        yield
    finally:
        twin.rows("DELETE FROM todo WHERE id = %s", LAST_ID)
        twin.rows(f"ALTER TABLE todo ALTER id RESTART WITH {used + 1}")


@pytest.fixture(params=TWINS, ids=str)
def app(request: pytest.FixtureRequest, stack: RunningStack) -> Iterator[InProcess]:
    """Each twin's web application."""
    settings = {
        "database_url": stack.database_url(request.param),
        "secret_key": "a secret for tests",
        "port": 1,
        "db_pool_size": 1,
        "db_pool_timeout_seconds": 0.1,
        "db_statement_timeout_seconds": 0.2,
    }
    durable = request.param.durable
    app = restate_app(WebSettings.model_validate(settings)) if durable else plain_app(Settings.model_validate(settings))
    with app.app_context():
        engine = db.engine
    yield InProcess(app.test_client(), engine, str(settings["database_url"]))
    engine.dispose()


@pytest.mark.usefixtures("raising")
def test_every_class_of_errors(twin: RunningTwin) -> None:
    """An error that no repeat can mend has the same status in both; for others Restate promises what plain refuses."""
    titles = [f"{code} raised {new_name('error')}" for code in SOME]
    with ThreadPoolExecutor(len(titles)) as pool:
        answers = list(pool.map(lambda title: twin.call("POST", json={"title": title}), titles))
    expected = {code: ENDS.get(code, ENDS.get(code[:2], 202 if twin.which.durable else 503)) for code in SOME}
    assert {code: answer.status_code for code, answer in zip(SOME, answers, strict=True)} == expected
    # Only what RAISE says without a code is meant for users.
    assert [code for code, answer in zip(SOME, answers, strict=True) if ITS_WORDS in answer.text] == ["P0001"]


@pytest.mark.usefixtures("raising")
@pytest.mark.parametrize("code", ENDS)
def test_form_that_the_database_refuses(twin: RunningTwin, browser: Browser, code: str) -> None:
    """A form that meets such an error is answered with the page of the form, with the text in it."""
    task = f"{code.ljust(5, '0')} raised {new_name('form')}"
    answer = browser.submit(browser.form("/add"), task=task)
    assert answer.status_code == ENDS[code]
    assert (ITS_WORDS in answer.text) == (code == "P0001")
    assert browser.form("/add", answer).fields["task"] == task
    assert twin.tasks(task) == []


def test_no_id_left(twin: RunningTwin, browser: Browser) -> None:
    """With all ids used JSON and form are answered with 507 in words of ours; the form can be submitted afterwards."""
    task, title = new_name("full"), new_name("full")
    with one_id_left(twin):
        assert twin.add(new_name("last"))["id"] == LAST_ID
        answers = [twin.call("POST", json={"title": title}), browser.submit(browser.form("/add"), task=task)]
    for answer in answers:
        assert answer.status_code == 507
        assert "The list is full" in answer.text
        assert not [word for word in ("nextval", "sequence", "psycopg2") if word in answer.text]
    assert answers[0].headers["content-type"] == "application/problem+json"
    kept = browser.form("/add", answers[1])
    assert kept.fields["task"] == task
    assert browser.submit(kept).status_code == 302
    assert (twin.tasks(task), twin.tasks(title)) == ([task], [])


def test_no_id_left_for_what_was_promised(durable: RunningTwin) -> None:
    """A write that was promised, and then finds no id left, is rejected in the same words."""
    with contextlib.closing(Browser(durable.url)) as browser:
        durable.writer.kill()
        assert browser.submit(browser.form("/add"), task=new_name("promised")).status_code == 302
        with one_id_left(durable):
            durable.rows("SELECT nextval(pg_get_serial_sequence('todo', 'id'))")
            durable.writer.start()
            assert durable.settle() == []
        (notice,) = browser.notices()
    assert "failed: The list is full" in notice


def test_behind_a_lock(app: InProcess) -> None:
    """A page whose statement waits for a lock, as that of a migration, is 503 after the time for a statement."""
    with contextlib.closing(psycopg2.connect(app.url)) as other:
        other.cursor().execute("LOCK TABLE todo")
        answer = app.client.get("/")
    assert answer.status_code == 503
    assert "The database is not available at the moment." in answer.text
    assert app.client.get("/").status_code == 200


def test_no_connection_free(app: InProcess) -> None:
    """A page for which no connection of the pool becomes free in time is 503."""
    with app.engine.connect():
        assert app.client.get("/api/todos").status_code == 503
    assert app.client.get("/api/todos").status_code == 200


@pytest.mark.parametrize(("code", "lines"), [("2200H", 1), ("42P01", 1), ("22001", 0), ("23505", 0), ("P0001", 0)])
def test_log(
    app: InProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: str, lines: int
) -> None:
    """The log has a line of what an operator must mend, with PostgreSQL's words, and none of what a user did wrong."""
    monkeypatch.setattr(database, "outage", Outage("the database"))
    with app.engine.connect() as connection, pytest.raises(DBAPIError):
        connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION '{ITS_WORDS}' USING ERRCODE = '{code}'; END $$")
    assert caplog.messages == [f"the database fails (failed attempts: 1): {ITS_WORDS}"] * lines


def test_table_that_does_not_fit(app: InProcess) -> None:
    """Where a column is missing, as before a migration, readers get 503 and no word of the statement."""
    execute(app.url, 'ALTER TABLE todo RENAME "order" TO something_else')
    answer = app.client.get("/api/todos")
    execute(app.url, 'ALTER TABLE todo RENAME something_else TO "order"')
    assert answer.status_code == 503
    assert not [word for word in ("SELECT", "psycopg2", "column") if word in answer.text]
    assert app.client.get("/api/todos").status_code == 200
