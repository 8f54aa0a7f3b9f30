"""What an add and a page are made of: the processor time of each part, beside the least that does the same.

Parts are done in one thread (one_thread.py); what they take together is of many clients at once.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

from tests.costs.measure import Advance, MeasurementError, one_thread, rounds
from tests.costs.measure.load_generator import Request
from tests.costs.measure.running_apps import RunningApp
from tests.costs.measure.usage import Used, of_each, put_load_and_look
from tests.costs.part_names import CALL, FLASK, LEDGER, PAGES, PENDING, SESSION, TEMPLATE
from tests.costs.records import NOOP, Part, Parts, ServerUsage
from todo_stack.paths import REPOSITORY
from todo_stack.process import Server
from todo_stack.twins import PLAIN, RESTATE, twin_named

SECONDS, ROUNDS, PAGE_CLIENTS = 1.4, 2, 8
"""Of a sample, and how many of them after one to warm up; as many clients as the goal for pages has."""

_HEALTH = Request("GET", "/healthz", 200)

_SERVER = "gunicorn: HTTP, thread, log line"
_PACKAGES = "Flask and the packages agreed on, alone"
_URLLIB3 = "the same by urllib3 alone"
_OTHERS = (
    "The same call takes {:.2f} ms by the session of requests, and {:.2f} by http.client on one connection, which has "
    "no time-outs, no TLS, and is not shared by threads."
)
_PSYCOPG2 = "the same statements by psycopg2"
_NOTHING_DONE = "the same of a step that does nothing"
_DATABASE = "PostgreSQL"


def measure(twins: Sequence[RunningApp], used: Sequence[ServerUsage], clients: int, step: Advance) -> list[Parts]:
    """Return the parts of a plain add, a durable add and either twin's page. The step that does nothing must be served.

    `used` is what adds by so many clients take, of these and of that step.
    """
    plain, durable = (next(twin for twin in twins if twin.name == wanted.key) for wanted in (PLAIN, RESTATE))
    durable.prepare("add")
    nothing, *pages = _in_turns([(plain, _HEALTH), *((twin, twin.prepare("list")) for twin in (plain, durable))])
    of_plain, of_noop, of_durable = (
        {one.server: one.cpu_ms for one in used if one.application == name} for name in (PLAIN.key, NOOP, RESTATE.key)
    )
    (in_flask, _), add, session = _in_one_thread(plain.servers[PLAIN.title], "add")
    server = _part(_SERVER, "web", [nothing[PLAIN.title] - in_flask, None])
    in_flask_of_add = [one - other for one, other in zip(add, session, strict=True)]
    web = [server, _part(FLASK, "web", in_flask_of_add, _PACKAGES)]
    plain_parts = [_part(SESSION, "web", session, _PSYCOPG2), _part(_DATABASE, "database", [of_plain["db"], None])]
    durable_parts = [*_of_durable_add(durable, of_durable, of_noop)]
    made = [
        Parts(request="plain add", clients=clients, parts=[*web, *plain_parts], whole=sum(of_plain.values())),
        Parts(request="durable add", clients=clients, parts=[*web, *durable_parts], whole=sum(of_durable.values())),
        *(
            Parts(request=page, clients=PAGE_CLIENTS, parts=[server, *_of_page(twin, each)], whole=sum(each.values()))
            for page, twin, each in zip(PAGES, (plain, durable), pages, strict=True)
        ),
    ]
    step("parts")
    return made


def _of_durable_add(durable: RunningApp, cpu_ms: Mapping[str, float], noop_ms: Mapping[str, float]) -> Iterator[Part]:
    call, by_others = _in_one_thread(durable.servers[RESTATE.title], "call")
    (ledger,) = _in_one_thread(durable.servers[RESTATE.writer], "ledger")
    sdk = noop_ms["step_service"]
    yield _part(CALL, "web", call, _URLLIB3, _OTHERS.format(*by_others))
    yield _part("Restate server", "Restate", [cpu_ms["restate"], noop_ms["restate"]], _NOTHING_DONE)
    yield _part("SDK, HTTP/2: a step that does nothing", "service", [sdk, None])
    yield _part(LEDGER, "service", ledger, _PSYCOPG2)
    yield _part(_DATABASE, "database", [cpu_ms["db"], None])


def _of_page(twin: RunningApp, cpu_ms: Mapping[str, float]) -> Iterator[Part]:
    which = twin_named(twin.name)
    question, page = _in_one_thread(twin.servers[which.title], "page", which.application)
    yield _part("the question for todos and what they carry", "web", question, _PSYCOPG2)
    yield _part(TEMPLATE, "web", [page[0] - question[0], page[1]], "bare Flask, and its rows alone")
    if which.durable:
        yield _part(PENDING, "Restate", [cpu_ms["restate"], None])
    yield _part(_DATABASE, "database", [cpu_ms["db"], None])


def _in_turns(asked: Sequence[tuple[RunningApp, Request]]) -> list[dict[str, float]]:
    """Return what each of these requests takes of each server, in milliseconds."""
    taken: dict[tuple[RunningApp, Request], list[Used]] = {one: [] for one in asked}
    for app, request in rounds.in_turns(asked, 1 + ROUNDS):
        used = put_load_and_look(app.url, request, app.servers, clients=PAGE_CLIENTS, seconds=SECONDS)
        taken[app, request].append(used)
    return [of_each(each[1:]) for each in taken.values()]


def _part(name: str, where: str, ours_and_least: Sequence[float | None], least_is: str = "", note: str = "") -> Part:
    ours, least = (milliseconds and round(milliseconds, 3) for milliseconds in ours_and_least)
    return Part(name=name, where=where, ours=ours or 0, least=least, least_is=least_is, note=note)


def _in_one_thread(server: Server, part: str, *of_what: str) -> list[list[float]]:
    """Return pairs of milliseconds, measured in a process with the environment of a server."""
    command = [sys.executable, "-m", one_thread.__name__, part, *of_what]
    done = subprocess.run(command, env=server.env, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeasurementError(f"{part} in one thread: {done.stderr.strip()[-2000:]}")
    pairs: list[list[float]] = json.loads(done.stdout)
    return pairs
