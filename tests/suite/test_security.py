"""What a hostile neighbour meets: bounded answers, closed pages, secrets that are not everybody's, plain log lines."""

import http.client
import logging
from pathlib import Path

import pytest
import requests

from tests.support.database import execute
from tests.support.running_twin import RunningTwin
from tests.support.user import new_name
from tests.support.web_beside import web_beside
from todo_shared import printable_logs
from todo_shared.json_api import LIST_LIMIT
from todo_shared.roles import RoleSettings
from todo_shared.settings import DEVELOPMENT, DatabaseSettings, Settings, SettingsError, load
from todo_stack.errors import StackError
from todo_stack.paths import REPOSITORY
from todo_stack.postgres import check_url

GOOD = {"DATABASE_URL": "postgresql://user:secret@db:5432/todos", "SECRET_KEY": "a secret for tests", "PORT": "5040"}


def test_long_list_is_read_in_parts(twin: RunningTwin) -> None:
    """An answer has a thousand todos at most, and a link to the next ones; the parts are the whole, in order."""
    name, number = new_name("many"), 2 * LIST_LIMIT + 1
    first = int(twin.add(name)["id"])
    add = "INSERT INTO todo (task) SELECT %s || i FROM generate_series(1, %s) i"
    execute(twin.stack.database_url(twin.which), add, name, number)
    try:
        found, sizes = [], []
        url = f"{twin.url}/api/todos?after={first}"
        while url:
            answer = requests.get(url, timeout=30)
            found += [todo["title"] for todo in answer.json()]
            sizes.append(len(answer.json()))
            url = answer.links.get("next", {}).get("url", "")
        assert sizes == [LIST_LIMIT, LIST_LIMIT, 1]
        assert found == [f"{name}{i}" for i in range(1, number + 1)]
        some = requests.get(f"{twin.url}/api/todos?after={first}&limit=2", timeout=30)
        assert [todo["title"] for todo in some.json()] == found[:2]
    finally:
        execute(twin.stack.database_url(twin.which), "DELETE FROM todo WHERE id > %s", first)


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=2147483648", "after=%D9%A1", "limit=0", "limit=1001"])
def test_part_that_there_cannot_be(twin: RunningTwin, query: str) -> None:
    """A parameter that is no number, or out of its bounds, is 400."""
    assert requests.get(f"{twin.url}/api/todos?{query}", timeout=30).status_code == 400


def test_pages_are_closed(twin: RunningTwin) -> None:
    """Pages, also those of errors, are kept by no cache and shown in no frame, by both headers that say so."""
    for path in ("/", "/nowhere"):
        headers = requests.get(twin.url + path, timeout=30).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("origins", "allowed"), [("https://app.example, https://b.example", ["https://app.example"]), ("", [])]
)
def test_origins_are_a_setting(twin: RunningTwin, origins: str, allowed: list[str]) -> None:
    """Only the pages of these origins may call the API, and those of none if none is named."""
    with web_beside(twin, {"CORS_ORIGINS": origins}) as other:
        for origin in ("https://app.example", "https://elsewhere.example", "null"):
            for method in ("GET", "OPTIONS"):
                headers = {"origin": origin, "access-control-request-method": "DELETE"}
                answer = requests.request(method, f"{other.url}/api/todos", headers=headers, timeout=30)
                expected = origin if origin in allowed else None
                assert answer.headers.get("access-control-allow-origin") == expected, (origin, method)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let the process have good settings."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def secrets_of_this_repository() -> list[tuple[str, str]]:
    """Return the name of a setting and a value for it, for each file."""
    return [
        ("SECRET_KEY" if file.name == "secret_key" else "DATABASE_PASSWORD", file.read_text().strip())
        for file in sorted(REPOSITORY.glob("*/secrets/*"))
    ]


@pytest.mark.parametrize(("name", "value"), secrets_of_this_repository())
def test_secrets_of_this_repository(
    settings: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    """What everybody can read is refused over HTTPS, and is warned of otherwise; neither repeats it."""
    settings.setenv(name, value)
    with caplog.at_level(logging.WARNING):
        load(Settings)
    assert f"{name}: {DEVELOPMENT}" in caplog.text
    assert value not in caplog.text
    settings.setenv("SESSION_COOKIE_SECURE", "true")
    with pytest.raises(SettingsError, match=f"{name}: {DEVELOPMENT}") as refused:
        load(Settings)
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (DatabaseSettings, "DATABASE_PASSWORD", f" {DEVELOPMENT}"),
        (DatabaseSettings, "DATABASE_URL", "postgresql://user:for-development-only-owner@db/todos"),
        (Settings, "MIGRATION_DATABASE_URL", "postgresql://user:for-development-only@db/todos"),
        (RoleSettings, "DATABASE_OWNER_PASSWORD", "for-development-only-owner"),
    ],
)
def test_each_process_refuses_them(
    settings: pytest.MonkeyPatch, kind: type[DatabaseSettings], name: str, value: str
) -> None:
    """The service and the roles refuse them, too, also in an address."""
    for role in ("OWNER", "WRITER"):
        settings.setenv(f"DATABASE_{role}_PASSWORD", "a good password")
    settings.setenv("SESSION_COOKIE_SECURE", "true")
    load(kind)
    settings.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: {DEVELOPMENT}"):
        load(kind)


@pytest.mark.parametrize("origins", ["https://*.example.org", "https://b.example?", "https://a.example/", "a.example"])
def test_origin_that_is_none(settings: pytest.MonkeyPatch, origins: str) -> None:
    """What would be taken for a pattern, or match nothing, is refused at the start."""
    settings.setenv("CORS_ORIGINS", origins)
    with pytest.raises(SettingsError, match="CORS_ORIGINS"):
        load(Settings)


@pytest.mark.parametrize("file", sorted(REPOSITORY.glob("flask-todo*/compose.yaml")), ids=lambda file: file.parent.name)
def test_containers_get_what_a_fork_sets(file: Path) -> None:
    """The settings that SECURITY.md names reach the web's container."""
    web = file.read_text().partition("\n  web:\n")[2].partition("networks:")[0]
    for name in ("CORS_ORIGINS", "SESSION_COOKIE_SECURE", "TRUSTED_HOSTS", "TRUSTED_PROXIES"):
        assert f"      {name}: ${{{name}" in web


@pytest.mark.parametrize("password", ["s3cr%t", "s3cr%40t%zz", "s3cr@et", "s3c/ret"])
def test_password_is_not_repeated_by_the_stack(password: str) -> None:
    """However wrong the address of a database is, `make up` shows nothing of its password."""
    with pytest.raises(StackError) as refused:
        check_url(f"postgresql://u:{password}@127.0.0.1:1/d")
    assert "s3c" not in str(refused.value)


@pytest.mark.parametrize("password", ["p@ss", "p@ss@word", "a%@b"])
def test_password_in_an_address_is_not_repeated(settings: pytest.MonkeyPatch, password: str) -> None:
    """An address whose password is not encoded is refused at the start, and nothing of it is shown."""
    settings.setenv("DATABASE_URL", f"postgresql://user:{password}@db:5432/todos")
    try:
        shown = repr(load(Settings))
    except SettingsError as refused:
        shown = str(refused)
        assert "percent-encoded" in shown
    assert password not in shown
    assert "ss@db" not in shown


def test_log_lines_give_no_orders_to_a_terminal() -> None:
    """Control characters, of one byte or two, are shown by their numbers; a further line looks like one."""
    error = ValueError("\x1b]0;\x9b")
    logged = printable_logs.PrintableRecord(
        "x", logging.INFO, "", 1, "%s", ("é\x1b[31m\x9b\x7f\n\U0001f600",), (ValueError, error, None)
    )
    text, trace = "é\\x1b[31m\\x9b\\x7f\n    \U0001f600", "ValueError: \\x1b]0;\\x9b"
    assert logging.Formatter("%(message)s").format(logged) == f"{text}\n{trace}"


def test_ingress_takes_nothing_large(durable: RunningTwin) -> None:
    """What is larger than any message of ours is refused before it is stored."""
    connection = http.client.HTTPConnection("127.0.0.1", durable.stack.ports.restate_ingress, timeout=30)
    body = b'{"task": "%s"}' % (b"x" * 200 * 1024)
    connection.request("POST", "/TodoService/add_todo", body, {"content-type": "application/json"})
    assert connection.getresponse().status == 413
    connection.close()
