"""The load generator: one workload against one address, in a closed or an open loop."""

import json
import shutil
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

_SCRIPT = Path(__file__).with_name("load.mjs")


class LoadError(RuntimeError):
    """The load could not be put on, or some of it was not answered as expected."""


@dataclass(frozen=True)
class Request:
    """What is sent over and over again.

    `{unique}` in the body becomes a new text each time, `{id}` in the path the next of `ids`, over and over.
    """

    method: str
    path: str
    expect: int
    """The status of a good answer."""
    body: dict[str, str] | None = None
    ids: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Sample:
    """What came of it."""

    milliseconds: list[float]
    """The time of each good answer: since it was sent in a closed loop, since it was due in an open one."""
    seconds: float
    cpu_seconds: float
    """What the generator itself took."""

    @property
    def throughput(self) -> float:
        """Good answers per second."""
        return len(self.milliseconds) / self.seconds

    def percentile(self, percent: float) -> float:
        """Return the time in milliseconds within which this share of the answers came (nearest rank)."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

    @property
    def p50(self) -> float:
        """The median time in milliseconds."""
        return statistics.median(self.milliseconds)


def put_load(
    url: str, request: Request, *, clients: int = 1, seconds: float, rate: float = 0, stop_after: int | None = None
) -> Sample:
    """Send requests for some seconds and return their times.

    Args:
        url: http://host:port of the server.
        request: what is sent.
        clients: connections of the closed loop.
        seconds: for how long.
        rate: requests per second; makes it an open loop.
        stop_after: number of requests of a closed loop after which it ends early.

    Raises:
        LoadError: an answer was not the expected one, or there was none at all.

    """
    plan = {"url": url, **asdict(request), "clients": clients, "seconds": seconds, "rate": rate}
    if stop_after:
        plan["stopAfter"] = stop_after
    done = subprocess.run([node(), str(_SCRIPT)], input=json.dumps(plan), capture_output=True, text=True, check=False)
    if done.returncode:
        raise LoadError(done.stderr.strip())
    answer = json.loads(done.stdout)
    if answer["errors"] or not answer["milliseconds"]:
        raise LoadError(
            f"{request.method} {url}{request.path}: {len(answer['milliseconds'])} good, others: {answer['errors']}"
        )
    return Sample(answer["milliseconds"], answer["seconds"], answer["cpuSeconds"])


def node() -> str:
    """Return the path of Node, which setup installs where npm is missing.

    Raises:
        LoadError: there is none.

    """
    if found := shutil.which("node", path=None) or shutil.which("node", path=str(Path(sys.executable).parent)):
        return found
    raise LoadError("Node is needed for the load generator: type 'make -B setup'")
