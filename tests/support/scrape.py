"""What a twin's servers tell Prometheus."""

from collections.abc import Callable

import requests
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.support.running_twin import RunningTwin
from tests.support.waiting import until
from todo_stack.ports import HOST

TIMEOUT_SECONDS = 10
"""As long as Prometheus waits, unless it is told otherwise."""


class Scrape:
    """The answer of one server at one moment."""

    def __init__(self, port: int) -> None:
        """Ask for it."""
        answer = requests.get(f"http://{HOST}:{port}/metrics", timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        self.text = answer.text
        self._samples = [sample for family in text_string_to_metric_families(self.text) for sample in family.samples]

    def of(self, name: str, **labels: str) -> list[Sample]:
        """Return the samples with this name and these labels."""
        return [each for each in self._samples if each.name == name and labels.items() <= each.labels.items()]

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of these samples."""
        return sum(sample.value for sample in self.of(name, **labels))


def scraped(port: int, condition: Callable[[Scrape], object], what: str) -> Scrape:
    """Scrape until the condition holds, and return that answer."""

    def scrape() -> Scrape | None:
        found = Scrape(port)
        return found if condition(found) else None

    return until(scrape, what) or Scrape(port)


def port_of(twin: RunningTwin) -> int:
    """Return where the twin's web is scraped."""
    return twin.stack.ports.metrics(twin.which.title)


def told(scrape: Scrape) -> dict[tuple[str, str], float]:
    """Return how often the client of an add was told what, with which status."""
    adds = scrape.of("todo_writes_total", operation="add_todo")
    return {(add.labels["outcome"], add.labels["status"]): add.value for add in adds}


def told_since(twin: RunningTwin, before: Scrape) -> dict[tuple[str, str], float]:
    """Return the same, counted since an earlier scrape, without what was not told."""
    counts = {key: count - told(before).get(key, 0) for key, count in told(Scrape(port_of(twin))).items()}
    return {key: count for key, count in counts.items() if count}


def pids(scrape: Scrape) -> set[int]:
    """Return the processes that are measured."""
    return {int(size.labels["pid"]) for size in scrape.of("todo_db_pool_size")}
