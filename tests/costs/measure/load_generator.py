"""The load generator: requests against an address, in a closed or an open loop, or several such loads in turn."""

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tenacity

from tests.costs.measure import LoadError

_SCRIPT = Path(__file__).with_suffix(".mjs")

# A sample with a wrong answer is no sample. A machine that stands still for longer than the write budget gets one from
# the Restate twin, 202.
again_if_wrong = tenacity.retry(
    retry=tenacity.retry_if_exception_type(LoadError), stop=tenacity.stop_after_attempt(3), reraise=True
)
"""Decorates what takes a sample."""


class Request(NamedTuple):
    """What is sent over and over again.

    `{unique}` in the body becomes a new text each time, `{id}` in the path the next of `ids`, over and over.
    """

    method: str
    path: str
    expect: int
    """The status of a good answer."""
    body: dict[str, str] | None = None
    ids: Sequence[int] = ()
    busy: int | None = None
    """The status of an answer that is neither good nor an error: the client is to come again after `Retry-After`."""
    then: "tuple[str, Request] | None" = None
    """What is sent after that, and to which address: an answer is that to the last, and its time that of all."""


ADD = Request("POST", "/api/todos", 201, {"title": "added {unique}"})
LIST = Request("GET", "/", 200)


def call(handler: str) -> Request:
    """Return a call of a handler, `Service/handler`, at Restate's ingress, that adds a todo or does nothing."""
    return Request("POST", f"/restate/call/{handler}", 200, {"task": "called {unique}"})


def add_by_message(marker: str) -> Request:
    """Return what the web hands to Restate's ingress when the write budget is over: an add that nobody waits for."""
    return Request("POST", "/restate/send/TodoService/add_todo", 202, {"task": f"{marker} {{unique}}"})


class Until(NamedTuple):
    """Good answers until then, and the seconds since the start."""

    answers: int = 0
    seconds: float = 0


class Sample(NamedTuple):
    """What came of it."""

    milliseconds: list[float]
    """The time of each good answer: since it was sent in a closed loop, since it was due in an open one."""
    seconds: float
    cpu_seconds: float
    """What the generator itself took."""
    refused: int = 0
    """Answers that the server had no room for the request."""
    early: Until = Until()
    """When each client of a closed loop had had an answer."""
    late: Until | None = None
    """When the first of them stopped; None if it did not, or in an open loop."""

    @property
    def throughput(self) -> float:
        """Good answers per second, without the early ones."""
        return (len(self.milliseconds) - self.early.answers) / (self.seconds - self.early.seconds)

    def while_all_ask(self) -> "Sample":
        """Return this without what came after the first client had stopped: of a short sample that is a large part."""
        if not self.late or self.late.answers <= self.early.answers:
            return self
        return self._replace(milliseconds=self.milliseconds[: self.late.answers], seconds=self.late.seconds)

    @property
    def p50(self) -> float:
        """The median time in milliseconds."""
        return statistics.median(self.milliseconds)


class Load(NamedTuple):
    """Requests to an address.

    In a closed loop of so many clients, for so many seconds from when each has an answer; with a rate in an open loop
    of so many requests per second. Until so many are sent, at most.
    """

    url: str
    request: Request
    seconds: float
    clients: int = 1
    rate: float = 0
    stop_after: int | None = None

    def described(self) -> dict[str, Any]:
        """Return it as the script reads it."""
        requests: list[dict[str, Any]] = []
        following: tuple[str, Request] | None = (self.url, self.request)
        while following:
            url, (method, path, expect, body, *_, then) = following
            requests.append({"url": url, "method": method, "path": path, "expect": expect, "body": body})
            following = then
        how = {name: value for name, value in self._asdict().items() if name not in ("url", "request")}
        return {**how, "requests": requests, "ids": self.request.ids, "busy": self.request.busy}


def put_load(
    url: str, request: Request, *, clients: int = 1, seconds: float, rate: float = 0, stop_after: int | None = None
) -> Sample:
    """Put this load on an address once. Raises LoadError: an answer is not the expected one."""
    (samples,) = put_loads([Load(url, request, seconds, clients, rate, stop_after)], rounds=1)
    return samples[0]


def put_loads(loads: Sequence[Load], rounds: int) -> list[list[Sample]]:
    """Let loads take turns, in each round in the other order, and return the samples of each; raises LoadError."""
    plan = json.dumps({"loads": [load.described() for load in loads], "rounds": rounds})
    # Setup installs Node where npm is missing.
    node = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
    if not node:
        raise LoadError("Node is needed for the load generator: type 'make -B setup'")
    done = subprocess.run([node, str(_SCRIPT)], input=plan, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadError(done.stderr.strip())
    return [
        [_checked(load, answer) for answer in answers]
        for load, answers in zip(loads, json.loads(done.stdout), strict=True)
    ]


def _checked(load: Load, answer: dict[str, Any]) -> Sample:
    errors, early, late = (answer.pop(name) for name in ("errors", "early", "late"))
    sample = Sample(**answer, early=Until(**early), late=Until(**late) if late else None)
    if errors or not sample.milliseconds:
        what = f"{load.request.method} {load.url}{load.request.path}"
        raise LoadError(f"{what}: {len(sample.milliseconds)} good, others: {errors}")
    return sample
