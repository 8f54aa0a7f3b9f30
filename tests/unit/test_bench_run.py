"""make bench keeps what was measured, whatever becomes of the rest, and leaves nothing behind."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from tests.bench import __main__ as bench
from tests.bench.folder import LOG, fresh_folder
from tests.bench.load import LoadError
from tests.bench.parts import PARTS, WHOLE, Bar, Findings, Part
from tests.bench.results import Results
from tests.unit.made_up_bench import made_up
from todo_stack.errors import StackError
from todo_stack.leftovers import Leftovers

RESULTS = made_up()
FIELDS: dict[str, tuple[str, ...]] = {
    "load": ("closed", "ratios", "open", "minimal", "usage", "disk", "idle_memory_mb", "settings"),
    "waterfall": ("waterfalls",),
    "recovery and growth": ("workers", "rows", "journals", "recoveries", "drain"),
}


def finds(*names: str) -> Part:
    """Return a part that finds these fields."""

    def part(_folder: Path, bar: Bar) -> Findings:
        bar.of(len(names))
        for name in names:
            bar.step(name)
            yield {name: getattr(RESULTS, name)}
        yield {"versions": {"PostgreSQL": "0.1"}}

    return part


def fails(_folder: Path, _bar: Bar) -> Findings:
    """Find one thing, and come to no end."""
    yield {"drain": RESULTS.drain}
    raise LoadError("no answer")


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run make bench with other parts in another folder; return how many have failed and what was printed."""
    monkeypatch.setattr(bench, "DATA", tmp_path)

    def call(only: str = "", **changed: Part) -> tuple[int, str]:
        parts = {name: changed.get(name, finds(*names)) for name, names in FIELDS.items()}
        monkeypatch.setattr(bench, "WHOLE", parts)
        monkeypatch.setattr(bench, "PARTS", parts)
        console = Console(file=io.StringIO(), width=200)
        failures = bench.run(only, console)
        assert isinstance(console.file, io.StringIO)
        return failures, console.file.getvalue()

    return call


def but_when(results: Results) -> dict[str, Any]:
    """Return what does not depend on when, where and with what it was run."""
    return results.model_dump(exclude={"started", "seconds", "machine", "versions"})


def test_whole_run(run: Run, tmp_path: Path) -> None:
    """What all parts have found is written, drawn and printed."""
    failures, printed = run()
    assert failures == 0
    results = Results.read(tmp_path / "bench.json")
    assert but_when(results) == but_when(RESULTS)
    assert results.versions["PostgreSQL"] == "0.1"
    assert "Restate" in results.versions
    assert "What durability costs" in (tmp_path / "bench.html").read_text()
    assert "Targets" in printed


def test_part_is_kept_apart(run: Run, tmp_path: Path) -> None:
    """A part does not replace a whole run."""
    run()
    before = (tmp_path / "bench.json").read_bytes()
    run(only="waterfall")
    assert (tmp_path / "bench.json").read_bytes() == before
    part = Results.read(tmp_path / "part" / "bench.json")
    assert part.waterfalls
    assert not part.closed
    assert (tmp_path / "part" / "bench.html").exists()


def test_failed_part(run: Run, tmp_path: Path) -> None:
    """A part that fails leaves what it had found, the others are measured all the same, and it is no whole run."""
    failures, printed = run(load=fails)
    assert failures == 1
    assert "load: no answer" in printed
    assert not (tmp_path / "bench.json").exists()
    part = Results.read(tmp_path / "part" / "bench.json")
    assert part.drain == RESULTS.drain
    assert part.waterfalls
    assert not part.closed


def test_stopped_run(run: Run, tmp_path: Path) -> None:
    """A run that is stopped ends at once, and what was found before is kept."""

    def stops(_folder: Path, _bar: Bar) -> Findings:
        yield {"waterfalls": RESULTS.waterfalls}
        raise bench.Stopped(130)

    with pytest.raises(bench.Stopped):
        run(waterfall=stops)
    part = Results.read(tmp_path / "part" / "bench.json")
    assert part.closed
    assert part.waterfalls
    assert not part.recoveries


def test_parts() -> None:
    """Each part can be run alone, and a whole run has them all."""
    assert set(PARTS) == {name for names in WHOLE for name in names.split(" and ")}


def test_folder_is_fresh(tmp_path: Path) -> None:
    """What an earlier run has left is ended and removed; the log stays when the data goes."""
    data = tmp_path / "load" / "data"
    data.mkdir(parents=True)
    left = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    Leftovers(data / "processes.json").record([left.pid])
    with fresh_folder(tmp_path / "load") as log:
        assert not psutil.pid_exists(left.pid)
        assert not data.exists()
        log("db", "a line")
        (tmp_path / "load" / "new").mkdir()
        with pytest.raises(StackError, match="already"), fresh_folder(tmp_path / "load"):
            pass
    log("db", "a late line")
    left.wait(10)
    assert sorted(path.name for path in (tmp_path / "load").iterdir()) == ["lock", LOG]
    assert (tmp_path / "load" / LOG).read_text() == "db: a line\n"
