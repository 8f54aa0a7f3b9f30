"""The article's service beside the Restate twin: the same Restate server, the same database, a link of its own."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import requests
from pydantic import BaseModel

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.events import EventKind
from tests.faultlab.wire.http2 import Http2Protocol
from tests.faultlab.wire.proxy import Proxy
from tests.support import restate_admin
from tests.support.service_endpoint import registered, service_endpoint
from todo_stack.output import Log
from todo_stack.ports import HOST, Ports
from todo_stack.process import Server

LINK = "Restate to article"
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Article:
    """The running service; `link` is the proxy between it and the Restate server."""

    lab: Laboratory
    server: Server
    link: Proxy

    def call(self, handler: str, message: BaseModel) -> requests.Response:
        """Call a handler and wait for its result, as the article's routes do."""
        return self._post(f"/restate/call/ArticleService/{handler}", message)

    def send(self, handler: str, message: BaseModel) -> str:
        """Hand a call over without waiting for its result; return the id of the invocation."""
        return str(self._post(f"/restate/send/ArticleService/{handler}", message).json()["invocationId"])

    def attempts(self, handler: str, since: float) -> list[float]:
        """Return when Restate has called the handler, of the monotonic clock, since such a moment."""
        name = f"invoke ArticleService/{handler}"
        events = [
            event for event in self.lab.log.events(since) if event.link == LINK and event.kind is EventKind.PASSED
        ]
        return [event.time for event in events if event.label.startswith(name)]

    def start(self) -> None:
        """Start the service, if it does not run."""
        if not self.server.running:
            self.server.start()

    def heal(self) -> None:
        """Let everything pass and the service run, and end what Restate would go on retrying."""
        self.link.clear()
        self.start()
        restate_admin.give_up(self.lab.stack.ports.admin_url)
        assert self.lab.twin.settle() == []

    def _post(self, path: str, message: BaseModel) -> requests.Response:
        body = message.model_dump(exclude_unset=True)
        return requests.post(f"{self.lab.stack.ports.ingress_url}{path}", json=body, timeout=TIMEOUT_SECONDS)


@contextlib.contextmanager
def article_beside(lab: Laboratory, log: Log) -> Iterator[Article]:
    """Run the article's service beside a laboratory's Restate twin, with the settings of its service."""
    port = Ports.free().restate_service
    # Without workers of its own: what is killed is the process that makes the steps.
    command = ["hypercorn", "--workers", "0", "--bind", f"{HOST}:{port}", "tests.scenarios.article.article_service:app"]
    server = service_endpoint(lab.twin, command, port, log)
    with (
        Proxy(LINK, Http2Protocol, upstream=(HOST, port), log=lab.log) as link,
        registered(server, lab.twin, link.port),
    ):
        yield Article(lab, server, link)
