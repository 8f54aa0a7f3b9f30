"""The article's service beside the Restate twin: the same Restate server, the same database, a link of its own."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from pydantic import BaseModel

from tests.faultlab.laboratory import HOST, Laboratory
from tests.faultlab.wire import EventKind, Http2Protocol, Proxy
from todo_stack.checks import tcp_open
from todo_stack.process import Log, Server

REPOSITORY = Path(__file__).parents[3]
LINK = "Restate to article"
TIMEOUT_SECONDS = 30


@dataclass
class Article:
    """The running service; `link` is the proxy between it and the Restate server."""

    lab: Laboratory
    server: Server
    link: Proxy

    def call(self, handler: str, message: BaseModel) -> requests.Response:
        """Call a handler and wait for its result, as the article's routes do."""
        return self._post(f"/ArticleService/{handler}", message)

    def send(self, handler: str, message: BaseModel) -> str:
        """Hand a call over without waiting for its result; return the id of the invocation."""
        return str(self._post(f"/ArticleService/{handler}/send", message).json()["invocationId"])

    def invocation(self, invocation_id: str) -> dict[str, Any]:
        """Return what Restate tells about an invocation."""
        response = requests.post(
            f"{self.lab.stack.ports.admin_url}/query",
            json={"query": "SELECT id, status, retry_count, last_failure FROM sys_invocation"},
            headers={"accept": "application/json"},
            timeout=TIMEOUT_SECONDS,
        )
        response.raise_for_status()
        rows: list[dict[str, Any]] = response.json()["rows"]
        return next(row for row in rows if row["id"] == invocation_id)

    def attempts(self, handler: str, since: float) -> list[float]:
        """Return when Restate has called the handler, of the monotonic clock, since such a moment."""
        name = f"invoke ArticleService/{handler}"
        events = [
            event for event in self.lab.log.events(since) if event.link == LINK and event.kind is EventKind.PASSED
        ]
        return [event.time for event in events if event.label.startswith(name)]

    def give_up(self) -> None:
        """End what Restate would go on retrying."""
        for invocation in self.lab.twin.unfinished():
            url = f"{self.lab.stack.ports.admin_url}/invocations/{invocation['id']}/kill"
            requests.patch(url, timeout=TIMEOUT_SECONDS).raise_for_status()
        assert self.lab.twin.settle() == []

    def _post(self, path: str, message: BaseModel) -> requests.Response:
        body = message.model_dump(exclude_unset=True)
        return requests.post(f"{self.lab.stack.ports.ingress_url}{path}", json=body, timeout=TIMEOUT_SECONDS)


@contextlib.contextmanager
def article_beside(lab: Laboratory, log: Log) -> Iterator[Article]:
    """Run the article's service beside a laboratory's Restate twin, with the settings of its service."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    env = {**os.environ, **lab.stack.servers["restate_app"].env, "PORT": str(port)}
    command = [sys.executable, "-m", "tests.scenarios.article.article_service"]
    server = Server("article", command, env, tcp_open(port), log, cwd=REPOSITORY)
    with Proxy(LINK, Http2Protocol(), upstream=(HOST, port), log=lab.log) as link:
        try:
            server.start()
            requests.post(
                f"{lab.stack.ports.admin_url}/deployments",
                json={"uri": f"http://{HOST}:{link.port}"},
                timeout=TIMEOUT_SECONDS,
            ).raise_for_status()
            yield Article(lab, server, link)
        finally:
            server.kill()
