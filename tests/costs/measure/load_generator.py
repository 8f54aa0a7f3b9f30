"""The load generator: one kind of request against one address, in a closed or an open loop."""

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

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


ADD = Request("POST", "/api/todos", 201, {"title": "added {unique}"})
LIST = Request("GET", "/", 200)


def call(handler: str) -> Request:
    """Return a call of a handler, `Service/handler`, at Restate's ingress, that adds a todo or does nothing."""
    return Request("POST", f"/restate/call/{handler}", 200, {"task": "called {unique}"})


def add_by_message(marker: str) -> Request:
    """Return what the web hands to Restate's ingress when the write budget is over: an add that nobody waits for."""
    return Request("POST", "/restate/send/TodoService/add_todo", 202, {"task": f"{marker} {{unique}}"})


class Early(NamedTuple):
    """Good answers, and the seconds since the start."""

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
    early: Early = Early()
    """What came before each client of a closed loop had had an answer."""

    @property
    def throughput(self) -> float:
        """Good answers per second, without the early ones."""
        return (len(self.milliseconds) - self.early.answers) / (self.seconds - self.early.seconds)

    @property
    def p50(self) -> float:
        """The median time in milliseconds."""
        return statistics.median(self.milliseconds)


def put_load(
    url: str, request: Request, *, clients: int = 1, seconds: float, rate: float = 0, stop_after: int | None = None
) -> Sample:
    """Send requests for some seconds, or until so many are sent, and return their times.

    In a closed loop of so many clients, from when each has an answer; with a rate in an open loop of so many requests
    per second. Raises LoadError if
    an answer is not the expected one.
    """
    how = {"clients": clients, "seconds": seconds, "rate": rate, "stop_after": stop_after}
    plan = json.dumps({"url": url, **request._asdict(), **how})
    # Setup installs Node where npm is missing.
    node = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
    if not node:
        raise LoadError("Node is needed for the load generator: type 'make -B setup'")
    done = subprocess.run([node, str(_SCRIPT)], input=plan, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadError(done.stderr.strip())
    answer = json.loads(done.stdout)
    errors, early = answer.pop("errors"), Early(**answer.pop("early"))
    sample = Sample(**answer, early=early)
    if errors or not sample.milliseconds:
        raise LoadError(f"{request.method} {url}{request.path}: {len(sample.milliseconds)} good, others: {errors}")
    return sample
