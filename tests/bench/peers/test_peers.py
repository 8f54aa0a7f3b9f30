"""What the comparison with the peers counts and shows; their packages are not needed for that."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.bench.peers import lines, table, twins
from tests.bench.peers.__main__ import PEERS
from tests.bench.peers.results import Kills, Results, Round, Row
from tests.lab.history import Verdict
from tests.lab.picture.results import Machine

SOURCE = '''"""A module."""

LIMIT = 3  # a comment beside code

# a comment


class Thing:
    """A class."""

    def keep(self) -> str:
        """Return a text."""
        return """two
lines"""

    @property
    def drop(self) -> int:
        return LIMIT
'''


def test_lines_that_do_something_are_counted() -> None:
    """Blank lines, comments and docstrings are not counted, nor what is left out with its decorators."""
    assert lines.count(SOURCE) == 8
    assert lines.count(SOURCE, ("Thing.drop",)) == 5
    assert lines.count(SOURCE, ("Thing", "LIMIT")) == 0


def test_what_is_left_out_must_exist() -> None:
    """A definition that was renamed is not counted by accident."""
    with pytest.raises(LookupError, match=r"Thing\.gone"):
        lines.count(SOURCE, ("Thing.gone",))


def test_every_contestant_has_code() -> None:
    """Each contestant's source is there, and so is what of it is not counted."""
    for about in (twins.PLAIN, twins.RESTATE, *(peer.ABOUT for peer in PEERS)):
        assert lines.total(about.code) > 10, about.title


def row(name: str, adds_per_second: float) -> Row:
    """Return a contestant that has lost one add and doubled two."""
    verdicts = {Verdict.EXACTLY_ONCE: 595, Verdict.GHOST: 2, Verdict.LOST: 1, Verdict.DUPLICATED: 2}
    return Row(
        name=name,
        title=name.upper(),
        lines=40,
        code={"app.py": 40},
        components=["server", "worker"],
        p50_ms=12.34,
        adds_per_second=adds_per_second,
        rounds=[Round(p50_ms=12.34, adds_per_second=adds_per_second)],
        kills=Kills(kills=3, operations=600, pending=8, settled_after_seconds=1.5, verdicts=verdicts),
        durable="a log",
        killed="the worker",
        not_comparable="Not at all.",
    )


@pytest.fixture
def results() -> Results:
    """Results of two contestants, and one that could not be started."""
    return Results(
        started=datetime(2026, 1, 2, tzinfo=UTC),
        seconds=300,
        machine=Machine(cores=2, memory_gib=23.5, system="Linux x86_64"),
        versions={"PostgreSQL": "18.6", "Flask": "3.1.3"},
        clients=32,
        web_workers=1,
        web_threads=8,
        waiting_threads=32,
        rows=[row("restate", 90), row("dbos", 45)],
        skipped={"Celery, Redis": "redis-server not found"},
    )


def test_table_has_everything(results: Results) -> None:
    """The README's table has each contestant's numbers, harm in bold, the ratio, remarks, and who is missing."""
    text = table.render(results)
    assert "| RESTATE | 40 | server, worker | 12.3 | 90 | **1** | **2** | 2 |" in text
    assert "2.0 times the adds of DBOS" in text
    assert "**DBOS**: Not at all." in text
    assert "redis-server not found" in text


def test_results_read_back_are_equal(results: Results, tmp_path: Path) -> None:
    """What was written is read again as it was."""
    results.write(tmp_path / "peers.json")
    assert Results.read(tmp_path / "peers.json") == results
