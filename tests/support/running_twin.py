"""One twin as tests see it: a client outside, the servers behind, the rows in the database."""

import contextlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import requests

from tests.support import restate_admin
from tests.support.database import execute
from tests.support.history import ClientOperation, Outcome
from tests.support.outside_world import OutsideWorld
from tests.support.waiting import StillMissingError, until
from todo_stack.ports import Ports
from todo_stack.twins import RESTATE, Twin

TIMEOUT_SECONDS = 30
QUIET_SECONDS = 60


class RunningServer(Protocol):
    """A server of a stack, whatever it runs in."""

    name: str

    @property
    def running(self) -> bool:
        """Whether its main process is there, paused or not."""

    @property
    def pid(self) -> int | None:
        """The number of its main process on this machine."""

    @property
    def env(self) -> Mapping[str, str]:
        """Its environment."""

    def start(self) -> None:
        """Start it and return when it is healthy."""

    def stop(self) -> None:
        """Ask it to end, and return when it is gone."""

    def kill(self) -> None:
        """Kill it (SIGKILL) and return when it is gone."""

    def pause(self) -> None:
        """Freeze it; connections stay open, unanswered."""

    def resume(self) -> None:
        """Let it go on after pause()."""

    def how_it_ended(self) -> str:
        """Say in words how it ended."""


class RunningStack(Protocol):
    """The servers of one twin or both, whatever they run in."""

    ports: Ports

    @property
    def twins(self) -> Sequence[Twin]:
        """The twins that run."""

    @property
    def servers(self) -> Mapping[str, RunningServer]:
        """By name."""

    def start(self) -> None:
        """Start everything and return when all is healthy."""

    def kill(self) -> None:
        """Kill everything at one moment, as a power cut does."""

    def database_url(self, twin: Twin, kind: str = "owner") -> str:
        """Return the address of a twin's database, for the superuser or one of its own roles."""

    def outside_world_url(self, twin: Twin, *, inside: bool = False) -> str:
        """Return the address of the third parties that a twin calls, from here or, `inside`, from the twin."""


class RunningTwin:
    """One of the two applications, running."""

    def __init__(self, which: Twin, stack: RunningStack, url: str = "") -> None:
        """Look at this twin of this stack; the url is given where it is not the web's own."""
        self.which = which
        self.stack = stack
        self.url = url or stack.ports.web_url(which)

    @property
    def web(self) -> RunningServer:
        """The web application."""
        return self.stack.servers[self.which.title]

    @property
    def world(self) -> OutsideWorld:
        """The third parties that it calls."""
        return OutsideWorld(self.stack.outside_world_url(self.which))

    def hook(self, name: str) -> str:
        """Return the address of a webhook that this twin can call; what it gets has the reference name/todo."""
        return f"{self.stack.outside_world_url(self.which, inside=True)}/hooks/{name}"

    @property
    def writer(self) -> RunningServer:
        """The process that writes to the database."""
        return self.stack.servers[self.which.writer]

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the twin's database, past the application."""
        return execute(self.stack.database_url(self.which), query, *parameters)

    def tasks(self, prefix: str) -> list[str]:
        """Return the tasks in the database that begin so, in the order of their ids."""
        return [row[0] for row in self.rows("SELECT task FROM todo WHERE starts_with(task, %s) ORDER BY id", prefix)]

    def todos(self) -> list[tuple[Any, ...]]:
        """Return id, task, completed and order of all todos in the database."""
        return self.rows('SELECT id, task, completed, "order" FROM todo ORDER BY id')

    def todos_named(self, task: str) -> list[tuple[Any, ...]]:
        """Return those with exactly this task."""
        return [todo for todo in self.todos() if todo[1] == task]

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Assert that no todo was added, changed or deleted meanwhile, and that Restate has no call that might."""
        before = self.todos()
        yield
        assert not self.which.durable or self.settle() == []
        assert self.todos() == before

    def call(
        self,
        method: str,
        path: str = "",
        json: object = None,
        headers: Mapping[str, str] | None = None,
        data: str | bytes | Iterable[bytes] | None = None,
    ) -> requests.Response:
        """Call the JSON API; the path is below /api/todos unless it is absolute."""
        url = path if path.startswith("http") else f"{self.url}/api/todos{path}"
        return requests.request(method, url, json=json, headers=headers, timeout=TIMEOUT_SECONDS, data=data)

    def add(self, title: str) -> dict[str, Any]:
        """Add a todo that must succeed."""
        response = self.call("POST", json={"title": title})
        assert response.status_code == 201, response.text
        todo: dict[str, Any] = response.json()
        return todo

    def operate(
        self, operation: ClientOperation, session: requests.Session | None = None, timeout: float = TIMEOUT_SECONDS
    ) -> ClientOperation:
        """Carry out one operation through the JSON API and record what its client was told."""
        method, path, body = operation.request()
        headers = {"Idempotency-Key": operation.key}
        try:
            ask = (session or requests).request
            response = ask(method, f"{self.url}/api/todos{path}", json=body, headers=headers, timeout=timeout)
        except requests.ConnectionError as error:
            refused = "Connection refused" in str(error)
            outcome = (Outcome.FAIL, "connection refused") if refused else (Outcome.UNKNOWN, "connection lost")
            operation.record(*outcome)
        except requests.RequestException as error:
            operation.record(Outcome.UNKNOWN, type(error).__name__)
        else:
            operation.answer = response.json() if "json" in response.headers.get("content-type", "") else None
            operation.record(_outcome(response), str(response.status_code))
            if operation.outcome is Outcome.PENDING:
                operation.operation_id = operation.answer["id"]
        return operation

    def unfinished(self) -> list[dict[str, Any]]:
        """Return the calls that Restate has not finished; the plain twin has none."""
        return restate_admin.unfinished(self.stack.ports.admin_url) if self.which.durable else []

    def settle(self, timeout: float = QUIET_SECONDS) -> list[dict[str, Any]]:
        """Wait until nothing is in flight any more; return what still is when the time is over."""
        try:
            until(lambda: not self.unfinished(), "nothing is in flight", timeout)
        except StillMissingError:
            return self.unfinished()
        return []


def restate_twin(stack: RunningStack) -> RunningTwin:
    """Return the Restate twin of a stack."""
    return RunningTwin(RESTATE, stack)


def new_key() -> str:
    """Return a request id as a form carries one."""
    return str(uuid.uuid4())


def _outcome(response: requests.Response) -> Outcome:
    if response.status_code == 202:
        return Outcome.PENDING
    if response.ok:
        return Outcome.OK
    ours = response.headers.get("content-type", "").startswith("application/problem+json")
    return Outcome.FAIL if ours or response.status_code < 500 else Outcome.UNKNOWN
