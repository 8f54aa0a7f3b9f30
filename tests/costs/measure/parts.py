"""What an add and a page are made of: the processor time of each part, beside the least that does the same.

Parts are done in one thread (one_thread.py); what they take together is of many clients at once.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

from tests.costs.measure import Advance, MeasurementError, one_thread
from tests.costs.measure.load_generator import Request
from tests.costs.measure.running_apps import RunningApp
from tests.costs.measure.usage import Used, put_load_and_look
from tests.costs.records import CALL, LEDGER, MINIMAL, NOOP, SESSION, Part, Parts, ServerUsage
from todo_stack.paths import REPOSITORY
from todo_stack.process import Server
from todo_stack.twins import PLAIN, RESTATE

SECONDS, PAGE_CLIENTS = 1.4, 8
"""Of a sample; as many clients as the goal for pages has."""

_HEALTH, _HEALTH_LEAST = Request("GET", "/healthz", 200), Request("GET", "/readyz", 200)

_WEB, _WEB_LEAST = "an empty answer: HTTP, Flask, headers, log line", "gunicorn, bare Flask"
_PSYCOPG2 = "the same statements by psycopg2"
_NOTHING_DONE = "the same of a step that does nothing"
_DATABASE = "PostgreSQL"


def measure(
    twins: Sequence[RunningApp], minimal: RunningApp, used: Sequence[ServerUsage], clients: int, step: Advance
) -> list[Parts]:
    """Return the parts of a plain add, a durable add and a page. The step that does nothing must be served.

    `used` is what adds by so many clients take, of these and of that step.
    """
    plain, durable = (next(twin for twin in twins if twin.name == wanted.key) for wanted in (PLAIN, RESTATE))
    durable.prepare("add")
    page = _look(plain, plain.prepare("list"))
    web = _web_part(plain, minimal)
    of_plain, of_noop, of_durable = (
        {one.server: one.cpu_ms for one in used if one.application == name} for name in (PLAIN.key, NOOP, RESTATE.key)
    )
    made = [
        Parts(
            request="plain add",
            clients=clients,
            parts=[web, *_of_plain_add(plain, of_plain)],
            whole=sum(of_plain.values()),
        ),
        Parts(
            request="durable add",
            clients=clients,
            parts=[web, *_of_durable_add(durable, of_durable, of_noop)],
            whole=sum(of_durable.values()),
        ),
        Parts(
            request="page of 100 todos",
            clients=PAGE_CLIENTS,
            parts=[web, *_of_page(plain, _each(page, "db"))],
            whole=sum(_each(page, server) for server in page.cpu_ms),
        ),
    ]
    step("parts")
    return made


def _of_plain_add(plain: RunningApp, cpu_ms: Mapping[str, float]) -> Iterator[Part]:
    (add,) = _in_one_thread("add", plain.servers[PLAIN.title])
    yield _part(SESSION, "web", add, _PSYCOPG2)
    yield _part(_DATABASE, "database", [cpu_ms["db"], None])


def _of_durable_add(durable: RunningApp, cpu_ms: Mapping[str, float], noop_ms: Mapping[str, float]) -> Iterator[Part]:
    (call,) = _in_one_thread("call", durable.servers[RESTATE.title])
    (ledger,) = _in_one_thread("ledger", durable.servers[RESTATE.writer])
    sdk = noop_ms["step_service"]
    yield _part(CALL, "web", call, "the same by http.client")
    yield _part("Restate server", "Restate", [cpu_ms["restate"], noop_ms["restate"]], _NOTHING_DONE)
    yield _part("SDK, HTTP/2: a step that does nothing", "service", [sdk, None])
    yield _part(LEDGER, "service", ledger, _PSYCOPG2)
    yield _part(_DATABASE, "database", [cpu_ms["db"], None])


def _of_page(plain: RunningApp, database_ms: float) -> Iterator[Part]:
    question, (page, rows) = _in_one_thread("page", plain.servers[PLAIN.title])
    yield _part("the question for todos and what they carry", "web", question, _PSYCOPG2)
    yield _part("session, token, forms, template", "web", [page - question[0], rows], "its rows alone")
    yield _part(_DATABASE, "database", [database_ms, None])


def _web_part(plain: RunningApp, minimal: RunningApp) -> Part:
    """Return what it takes to answer anything at all."""
    ours, least = (_look(app, request) for app, request in ((plain, _HEALTH), (minimal, _HEALTH_LEAST)))
    return _part(_WEB, "web", [_each(ours, PLAIN.title), _each(least, MINIMAL)], _WEB_LEAST)


def _look(app: RunningApp, request: Request) -> Used:
    return put_load_and_look(app.url, request, app.servers, clients=PAGE_CLIENTS, seconds=SECONDS)


def _each(used: Used, server: str) -> float:
    return round(used.cpu_ms[server] / len(used.sample.milliseconds), 3)


def _part(name: str, where: str, ours_and_least: Sequence[float | None], least_is: str = "") -> Part:
    ours, least = (milliseconds and round(milliseconds, 3) for milliseconds in ours_and_least)
    return Part(name=name, where=where, ours=ours or 0, least=least, least_is=least_is)


def _in_one_thread(part: str, server: Server) -> list[list[float]]:
    """Return pairs of milliseconds, measured in a process with the environment of a server."""
    command = [sys.executable, "-m", one_thread.__name__, part]
    done = subprocess.run(command, env=server.env, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeasurementError(f"{part} in one thread: {done.stderr.strip()[-2000:]}")
    pairs: list[list[float]] = json.loads(done.stdout)
    return pairs
