"""make bench keeps what was measured, whatever becomes of the rest, and leaves nothing behind."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from tests.costs import __main__ as bench
from tests.costs.command import COSTS, RESULTS, StoppedError
from tests.costs.measure import LoadError, Progress
from tests.costs.measure.all_parts import PARTS, WHOLE, Findings, Part
from tests.costs.measure.workspace import LOG, workspace
from tests.costs.records import Costs
from todo_stack.errors import StackError
from todo_stack.leftovers import Leftovers

KEPT = Costs.read(COSTS)
Run = Callable[..., tuple[int, str]]


def finds(*fields: str) -> Part:
    """Return a part that finds these fields of the kept run."""

    def part(_folder: Path, progress: Progress) -> Findings:
        progress.expect(len(fields))
        for field in fields:
            progress.step(field)
            yield {field: getattr(KEPT, field)}
        yield {"versions": {"PostgreSQL": "0.1"}}

    return part


def ends_with(error: BaseException) -> Part:
    """Return a part that finds one thing, and comes to no end."""

    def part(_folder: Path, _progress: Progress) -> Findings:
        yield {"drain": KEPT.drain}
        raise error

    return part


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run make bench with other parts in another folder; return how many have failed and what was printed."""
    monkeypatch.setattr(bench, "DATA", tmp_path)
    usual = {"load": finds("closed_loops", "ratios"), "waterfall": finds("waterfalls"), "recovery": finds("recoveries")}

    def call(only: str = "", **changed: Part) -> tuple[int, str]:
        for name in ("WHOLE", "PARTS"):
            monkeypatch.setattr(bench, name, usual | changed)
        console = Console(file=io.StringIO(), width=200)
        failures = bench.run(only, console)
        assert isinstance(console.file, io.StringIO)
        return failures, console.file.getvalue()

    return call


def test_whole_run(run: Run, tmp_path: Path) -> None:
    """What all parts have found is written, drawn and printed."""
    failures, printed = run()
    assert failures == 0
    found = Costs.read(tmp_path / RESULTS)
    assert (found.closed_loops, found.recoveries) == (KEPT.closed_loops, KEPT.recoveries)
    assert (found.versions["PostgreSQL"], found.versions["Restate"]) == ("0.1", KEPT.versions["Restate"])
    assert "What durability costs" in (tmp_path / bench.PAGE).read_text()
    assert "Goals" in printed


def test_part_is_kept_apart(run: Run, tmp_path: Path) -> None:
    """A part does not replace a whole run."""
    run()
    before = (tmp_path / RESULTS).read_bytes()
    run(only="waterfall")
    assert (tmp_path / RESULTS).read_bytes() == before
    part = Costs.read(tmp_path / "part" / RESULTS)
    assert (part.waterfalls, part.closed_loops) == (KEPT.waterfalls, [])
    assert (tmp_path / "part" / bench.PAGE).exists()


def test_failed_part(run: Run, tmp_path: Path) -> None:
    """A part that fails leaves what it had found, the others are measured all the same, and it is no whole run."""
    failures, printed = run(load=ends_with(LoadError("no answer")))
    assert failures == 1
    assert "load: no answer" in printed
    assert not (tmp_path / RESULTS).exists()
    part = Costs.read(tmp_path / "part" / RESULTS)
    assert (part.drain, part.waterfalls, part.closed_loops) == (KEPT.drain, KEPT.waterfalls, [])


def test_stopped_run(run: Run, tmp_path: Path) -> None:
    """A run that is stopped ends at once, and what was found before is kept."""
    with pytest.raises(StoppedError):
        run(waterfall=ends_with(StoppedError(130)))
    part = Costs.read(tmp_path / "part" / RESULTS)
    assert (part.closed_loops, part.drain, part.recoveries) == (KEPT.closed_loops, KEPT.drain, [])


def test_parts() -> None:
    """Each part can be run alone, and a whole run has them all."""
    assert set(PARTS) == {name for names in WHOLE for name in names.split(" and ")}


def test_workspace_is_fresh(tmp_path: Path) -> None:
    """What an earlier run has left is ended and removed; the log stays when the data goes."""
    data = tmp_path / "load" / "data"
    data.mkdir(parents=True)
    left = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    Leftovers(data / "processes.json").record([left.pid])
    with workspace(tmp_path / "load") as log:
        assert not psutil.pid_exists(left.pid)
        assert not data.exists()
        log("db", "a line")
        (tmp_path / "load" / "new").mkdir()
        with pytest.raises(StackError, match="already"), workspace(tmp_path / "load"):
            pass
    log("db", "a late line")
    left.wait(10)
    assert sorted(path.name for path in (tmp_path / "load").iterdir()) == ["lock", LOG]
    assert (tmp_path / "load" / LOG).read_text() == "db: a line\n"
