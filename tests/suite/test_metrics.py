"""/metrics: what clients were told; what waits; and an answer whatever is down."""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import requests
from flask import Flask, g

from tests.support import restate_admin
from tests.support.applications import make_both
from tests.support.browser import Browser
from tests.support.running_twin import RunningTwin
from tests.support.scrape import Scrape, port_of, scraped, told, told_since
from tests.support.service_endpoint import endpoint_beside
from tests.support.table_lock import todos_locked
from tests.support.user import new_name
from tests.support.waiting import until
from todo_shared import metrics
from todo_shared.metrics_server import OPERATIONS, outcome
from todo_shared.settings import DatabaseSettings, SettingsError
from todo_stack.twins import PLAIN, RESTATE


def test_what_clients_were_told(twin: RunningTwin) -> None:
    """Each write is counted by the word for its outcome; with the database away, too, as the scrape tells."""
    away = {PLAIN: ("fail", "503"), RESTATE: ("pending", "202")}[twin.which]
    before, database = Scrape(port_of(twin)), twin.stack.servers["db"]
    twin.add(new_name("counted"))
    twin.call("POST", json={"title": ""})
    database.kill()
    twin.call("POST", json={"title": new_name("away")})
    alone = Scrape(port_of(twin))
    database.start()
    assert twin.settle() == []
    assert told_since(twin, before) == {("ok", "201"): 1, ("fail", "422"): 1, away: 1}
    assert [alone.value("todo_up", part="database"), len(alone.of("todo_up", part="database"))] == [0, 1]
    assert told(alone)[away] >= 1
    after = Scrape(port_of(twin))
    assert after.value("todo_up", part="database") == 1
    name, labels = "todo_write_duration_seconds_count", {"operation": "add_todo"}
    assert after.value(name, **labels) - before.value(name, **labels) == 3
    route = {"route": "/api/todos", "method": "POST", "status": "201"}
    name = "todo_http_requests_total"
    assert after.value(name, **route) - before.value(name, **route) == 1


def test_what_waits(durable: RunningTwin, mine: Browser) -> None:
    """What is pending is told with its age, and what is paused; the ledger is counted; then nothing waits any more."""
    ports, form = durable.stack.ports, mine.form("/add")
    before = Scrape(port_of(durable))
    assert before.value("todo_pending_writes") == before.value("todo_pending_oldest_seconds") == 0
    durable.writer.kill()
    assert mine.submit(form, task=new_name("waits")).status_code == 302
    assert told_since(durable, before) == {("pending", "302"): 1}
    call = durable.unfinished()[0]["id"]
    waits = scraped(port_of(durable), lambda scrape: scrape.value("todo_pending_writes") == 1, "the write is pending")
    assert 1 <= waits.value("todo_pending_oldest_seconds") < 60
    # That the service does not answer is nobody's bug.
    assert waits.value("todo_stuck_calls") == 0
    restate_admin.order(ports.admin_url, call, "pause")
    scraped(port_of(durable), lambda scrape: scrape.value("todo_stuck_calls", reason="paused") == 1, "it is paused")
    durable.writer.start()
    restate_admin.order(ports.admin_url, call, "resume")
    assert durable.settle() == []
    after = Scrape(port_of(durable))
    assert after.value("todo_pending_writes") == after.value("todo_stuck_calls") == 0
    assert after.value("todo_ledger_rows") == before.value("todo_ledger_rows") + 1


def test_webhook_fails(durable: RunningTwin) -> None:
    """A webhook that fails for good is counted, and is no write that waits, nor is a call that is made next week."""
    assert durable.settle() == []
    path = f"/{durable.add(new_name('watched'))['id']}"
    assert durable.call("PUT", f"{path}/reminder", json={"in_seconds": 7 * 86_400}).ok
    assert durable.call("PUT", f"{path}/watcher", json={"url": durable.hook("gone")}).ok
    with durable.world.told("hooks", "error", reference=f"{durable.which.key}{path}"):
        assert durable.call("PATCH", path, json={"completed": True}).status_code == 200
        waits = scraped(port_of(durable), lambda scrape: scrape.value("todo_failing_webhooks"), "the webhook fails")
    assert waits.value("todo_failing_webhooks") == 1
    assert waits.value("todo_pending_writes") == waits.value("todo_pending_oldest_seconds") == 0
    assert waits.value("todo_stuck_calls") == 0
    assert durable.settle() == []
    assert Scrape(port_of(durable)).value("todo_failing_webhooks") == 0


def test_mail_is_overdue(twin: RunningTwin) -> None:
    """A mail that is refused is told with its age, and no more when it is sent; one of next week is not."""
    name, port = "todo_reminder_overdue_seconds", port_of(twin)
    refused, later = (f"/{twin.add(new_name('reminded'))['id']}" for _ in range(2))
    assert twin.call("PUT", f"{later}/reminder", json={"in_seconds": 7 * 86_400}).ok
    assert [overdue.value for overdue in Scrape(port).of(name)] == [0]
    with twin.world.told("mail", "error", reference=f"{twin.which.key}{refused}"):
        assert twin.call("PUT", f"{refused}/reminder", json={"in_seconds": 0}).ok
        assert scraped(port, lambda scrape: scrape.value(name) > 1, "it is overdue").value(name) < 60
    scraped(port, lambda scrape: scrape.value(name) == 0, "it is mailed")


def test_without_restate(durable: RunningTwin) -> None:
    """With Restate away a client cannot know; the scrape does not tell what waits, and says why not."""
    before, restate = Scrape(port_of(durable)), durable.stack.servers["restate"]
    restate.kill()
    assert durable.call("POST", json={"title": new_name("unknown")}).status_code == 503
    alone = Scrape(port_of(durable))
    restate.start()
    assert told_since(durable, before) == {("unknown", "503"): 1}
    assert [up.value for up in alone.of("todo_up", part="restate")] == [0]
    assert alone.of("todo_pending_writes") == alone.of("todo_stuck_calls") == []
    assert alone.of("todo_ledger_rows")


def test_our_own_code_fails(durable: RunningTwin) -> None:
    """A call is stuck if our own code fails, and not if it waits for a database; both are late since they were due."""
    due = list[datetime]()
    with endpoint_beside(durable, ["tests.suite.failing_service"]):
        for name in ("KeyError", "OperationalError"):
            url = f"{durable.stack.ports.ingress_url}/restate/send/FailingService/in_step?delay=2s"
            answer = requests.post(url, json={"name": name}, timeout=10)
            due.append(datetime.fromisoformat(answer.json()["executionTime"]))
        until(lambda: len(durable.unfinished()) == len(due), "both are due")
        until(lambda: all("last_failure_error_code" in call for call in durable.unfinished()), "both have failed")
        stuck = "todo_stuck_calls"
        found = scraped(port_of(durable), lambda scrape: scrape.value("todo_pending_writes") == 2, "both are late")
        age = (datetime.now(UTC) - due[0]).total_seconds()
    assert found.value(stuck) == found.value(stuck, reason="failing") == 1
    assert 1 <= found.value("todo_pending_oldest_seconds") < age + 0.5


def test_pool(twin: RunningTwin) -> None:
    """While writes wait for a lock, the process that makes them tells that all of its connections are in use."""
    taken, port = "todo_db_pool_checked_out", twin.stack.ports.metrics(twin.writer.name)
    full = Scrape(port).value("todo_db_pool_size")
    assert full == 8
    with todos_locked(twin.stack.database_url(twin.which)), ThreadPoolExecutor(int(full)) as pool:
        work = [pool.submit(twin.call, "POST", json={"title": new_name("locked")}) for _ in range(int(full))]
        scraped(port, lambda scrape: scrape.value(taken) == full, "the pool is exhausted")
    assert {done.result().status_code for done in work} <= {201, 202, 503}
    assert twin.settle() == []
    scraped(port, lambda scrape: scrape.value(taken) == 0, "the connections are given back")


@pytest.mark.parametrize(
    ("known", "status", "word"),
    [
        ({}, 302, "ok"),
        ({}, 202, "pending"),
        ({}, 409, "fail"),
        ({}, 500, "fail"),
        ({"committing": True}, 503, "unknown"),
        ({"committing": True}, 201, "ok"),
        ({"told": "pending"}, 302, "pending"),
    ],
)
def test_word_for_an_outcome(known: dict[str, object], status: int, word: str) -> None:
    """An error is a failure, unless a COMMIT was sent, whose answer may be lost; a twin may know better."""
    with Flask(__name__).test_request_context():
        for name, value in known.items():
            setattr(g, name, value)
        assert outcome(status) == word


def test_not_on_the_published_port(twin: RunningTwin) -> None:
    """Who reaches the pages does not reach the metrics."""
    assert twin.call("GET", f"{twin.url}/metrics").status_code == 404
    assert Scrape(port_of(twin)).value("todo_http_requests_total", route="none", status="404") >= 1


def test_any_method_is_counted(twin: RunningTwin) -> None:
    """A client cannot invent labels."""
    before = Scrape(port_of(twin)).value("todo_http_requests_total", method="other")
    requests.request("INVENTED", f"{twin.url}/invented", timeout=30)
    after = Scrape(port_of(twin))
    assert after.value("todo_http_requests_total", method="other") == before + 1
    assert "invented" not in after.text.lower()


def test_every_write_is_an_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each route that writes has the name of its operation, and the two twins' writes are the same."""
    for app in make_both(monkeypatch):
        rules = [
            rule for rule in app.url_map.iter_rules() if {"POST", "PUT", "PATCH", "DELETE"} & (rule.methods or set())
        ]
        names = {rule.endpoint.rpartition(".")[2] for rule in rules}
        assert names - {"dismiss"} == set(OPERATIONS)


def test_free_without_a_port() -> None:
    """Without METRICS_PORT nothing of Prometheus is imported."""
    url, key = "postgresql://nobody@127.0.0.1:1/nothing", "a secret for tests"
    code = "import sys, {0}.gunicorn_conf, {0}.app as a; a.create_app(); print('prometheus_client' in sys.modules)"
    for twin in (PLAIN, RESTATE):
        command = [sys.executable, "-c", code.format(twin.package)]
        env = {"DATABASE_URL": url, "SECRET_KEY": key, "PORT": "1"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == "False\n"


def test_no_place_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no folder can be made, the start ends with a line that names the setting."""
    monkeypatch.setattr(tempfile, "tempdir", os.devnull)
    settings = DatabaseSettings.model_validate({"database_url": "postgresql://u@h/d", "metrics_port": 1})
    with pytest.raises(SettingsError, match="METRICS_PORT"):
        metrics.prepare(settings)
