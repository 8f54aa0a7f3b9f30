"""One twin as the suite sees it: a client outside, the servers behind, the rows in the database."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import tenacity
from bs4 import BeautifulSoup

from tests.support.database import execute
from tests.support.history import Operation, Outcome
from todo_stack.process import Server
from todo_stack.stack import Stack

TIMEOUT_SECONDS = 30
QUIET_SECONDS = 60


@dataclass(frozen=True)
class Form:
    """A form of a page: where it goes and what it carries."""

    action: str
    fields: Mapping[str, str]


class Browser:
    """A client of the pages that keeps cookies and sends forms back as they were rendered."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()

    def close(self) -> None:
        """Close its connections."""
        self.session.close()

    def get(self, path: str = "/") -> requests.Response:
        """Get a page."""
        return self.session.get(self.url + path, timeout=TIMEOUT_SECONDS)

    def forms(self, response: requests.Response | None = None) -> list[Form]:
        """Return the forms of a page, by default of the list."""
        page = BeautifulSoup((self.get() if response is None else response).text, "html.parser")
        forms = []
        for form in page.find_all("form"):
            fields = form.find_all("input", {"name": True})
            forms.append(Form(str(form["action"]), {str(f["name"]): str(f.get("value", "")) for f in fields}))
        return forms

    def form(self, pattern: str, response: requests.Response | None = None) -> Form:
        """Return the first form whose action matches the pattern."""
        found = [form for form in self.forms(response) if re.search(pattern, form.action)]
        assert found, f"no form with action {pattern}"
        return found[0]

    def submit(self, form: Form, **changes: str) -> requests.Response:
        """Submit a form with these fields changed; redirects are not followed."""
        return self.session.post(
            self.url + form.action, data={**form.fields, **changes}, timeout=TIMEOUT_SECONDS, allow_redirects=False
        )


class Twin:
    """One of the two applications, running."""

    def __init__(self, name: str, web: str, writer: str, stack: Stack, url: str = "") -> None:
        self.name = name
        self.url = url or stack.ports.web_url(name)
        """Its address."""
        self._web = web
        self._writer = writer
        self.stack = stack

    @property
    def durable(self) -> bool:
        """Whether this is the Restate twin."""
        return self.name == "restate"

    @property
    def web(self) -> Server:
        """The web application."""
        return self.stack.servers[self._web]

    @property
    def writer(self) -> Server:
        """The process that writes to the database."""
        return self.stack.servers[self._writer]

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - SQL's
        """Return the rows of a query on the twin's database, past the application."""
        return execute(self.stack.database_url(self.name), query, *parameters)

    def tasks(self, prefix: str) -> list[str]:
        """Return the tasks in the database that begin so, in the order of their ids."""
        return [row[0] for row in self.rows("SELECT task FROM todo WHERE starts_with(task, %s) ORDER BY id", prefix)]

    def call(
        self,
        method: str,
        path: str = "",
        json: Any = None,  # noqa: ANN401 - any JSON
        headers: Mapping[str, str] | None = None,
        **options: Any,  # noqa: ANN401 - requests' options
    ) -> requests.Response:
        """Call the JSON API; the path is below /api/todos unless it is absolute."""
        url = path if path.startswith("http") else f"{self.url}/api/todos{path}"
        return requests.request(method, url, json=json, headers=headers, timeout=TIMEOUT_SECONDS, **options)

    def add(self, title: str) -> dict[str, Any]:
        """Add a todo that must succeed."""
        response = self.call("POST", json={"title": title})
        assert response.status_code == 201, response.text
        todo: dict[str, Any] = response.json()
        return todo

    def operate(
        self,
        session: requests.Session,
        operation: Operation,
        method: str,
        path: str = "",
        json: Any = None,  # noqa: ANN401 - any JSON
        timeout: float = TIMEOUT_SECONDS,
    ) -> Operation:
        """Carry out one operation through the JSON API and record what its client was told."""
        headers = {"Idempotency-Key": operation.key}
        try:
            response = session.request(
                method, f"{self.url}/api/todos{path}", json=json, headers=headers, timeout=timeout
            )
        except requests.ConnectionError as error:
            refused = "Connection refused" in str(error)
            operation.told(*((Outcome.FAIL, "connection refused") if refused else (Outcome.UNKNOWN, "connection lost")))
        except requests.RequestException as error:
            operation.told(Outcome.UNKNOWN, type(error).__name__)
        else:
            operation.told(_outcome(response), str(response.status_code))
            if operation.outcome is Outcome.PENDING:
                operation.operation_id = response.json()["id"]
        return operation

    def unfinished(self) -> list[dict[str, Any]]:
        """Return the calls that Restate has not finished; the plain twin has none."""
        if not self.durable:
            return []
        response = requests.post(
            f"{self.stack.ports.admin_url}/query",
            json={"query": "SELECT id, target, status, retry_count FROM sys_invocation WHERE status <> 'completed'"},
            headers={"accept": "application/json"},
            timeout=TIMEOUT_SECONDS,
        )
        response.raise_for_status()
        rows: list[dict[str, Any]] = response.json()["rows"]
        return rows

    def settle(self, timeout: float = QUIET_SECONDS) -> list[dict[str, Any]]:
        """Wait until nothing is in flight any more; return what still is when the time is over."""
        waiting = tenacity.Retrying(
            retry=tenacity.retry_if_result(bool) | tenacity.retry_if_exception_type(requests.RequestException),
            stop=tenacity.stop_after_delay(timeout),
            wait=tenacity.wait_fixed(0.1),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else [],
        )
        return list(waiting(self.unfinished))


def twin_of(stack: Stack, name: str, url: str = "") -> Twin:
    """Return a twin of a stack; the url is given where it is not the web's own."""
    if name == "restate":
        return Twin(name, web="flask-todo-restate", writer="restate_app", stack=stack, url=url)
    return Twin(name, web="flask-todo", writer="flask-todo", stack=stack, url=url)


def twins_of(stack: Stack) -> dict[str, Twin]:
    """Return both twins of a stack."""
    return {name: twin_of(stack, name) for name in ("basic", "restate")}


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
