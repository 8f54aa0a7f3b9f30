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
from tests.costs.command import COSTS, RESULTS
from tests.costs.measure import Advance, Findings, LoadError
from tests.costs.measure.all_parts import PARTS, WHOLE, Part
from tests.costs.measure.workspace import LOG, workspace
from tests.costs.records import Costs
from tests.support.write_path import PACKAGES
from todo_stack.data_folder import MARK, mark_of
from todo_stack.errors import StackError

KEPT = Costs.read(COSTS)
Run = Callable[..., tuple[int, str]]


def part(*fields: str, ends_with: BaseException | None = None) -> Part:
    """Return a part that finds these fields of the kept run, and may come to no end."""

    def find(_folder: Path, step: Advance) -> Findings:
        for field in fields:
            step(field, of=len(fields))
            yield {field: getattr(KEPT, field)}
        if ends_with:
            raise ends_with

    return find


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run make bench with other parts in another folder; return how many have failed and what was printed."""
    monkeypatch.setattr(bench, "DATA", tmp_path)
    usual = {"load": part("closed_loops", "ratios"), "waterfall": part("waterfalls"), "recovery": part("recoveries")}

    def call(only: str = "", **changed: Part) -> tuple[int, str]:
        for name in ("WHOLE", "PARTS"):
            monkeypatch.setattr(bench, name, usual | changed)
        printed = io.StringIO()
        return bench.run(only, Console(file=printed, width=200)), printed.getvalue()

    return call


def test_whole_run(run: Run, tmp_path: Path) -> None:
    """What all parts have found is written, drawn and printed; a part does not replace it."""
    failures, printed = run()
    assert failures == 0
    found = Costs.read(tmp_path / RESULTS)
    assert (found.closed_loops, found.recoveries) == (KEPT.closed_loops, KEPT.recoveries)
    assert found.versions.keys() >= {"PostgreSQL", "Restate", *PACKAGES}
    assert "What durability costs" in (tmp_path / bench.PAGE).read_text()
    assert "Goals" in printed

    run(only="waterfall")
    assert Costs.read(tmp_path / RESULTS) == found
    assert Costs.read(tmp_path / "part" / RESULTS).closed_loops == ()
    assert (tmp_path / "part" / bench.PAGE).exists()


def test_failed_part(run: Run, tmp_path: Path) -> None:
    """A part that fails leaves what it had found, the others are measured all the same, and it is no whole run."""
    failures, printed = run(load=part("drains", ends_with=LoadError("no answer")))
    assert failures == 1
    assert "load: no answer" in printed
    assert not (tmp_path / RESULTS).exists()
    kept = Costs.read(tmp_path / "part" / RESULTS)
    assert (kept.drains, kept.waterfalls, kept.closed_loops) == (KEPT.drains, KEPT.waterfalls, ())


def test_stopped_run(run: Run, tmp_path: Path) -> None:
    """A run that is stopped ends at once, and what was found before is kept."""
    with pytest.raises(SystemExit):
        run(waterfall=part("drains", ends_with=SystemExit(130)))
    kept = Costs.read(tmp_path / "part" / RESULTS)
    assert (kept.closed_loops, kept.drains, kept.recoveries) == (KEPT.closed_loops, KEPT.drains, ())


def test_parts() -> None:
    """Each part can be run alone, and a whole run has them all."""
    assert set(PARTS) == {name for names in WHOLE for name in names.split(" and ")}


def test_workspace_is_fresh(tmp_path: Path) -> None:
    """What an earlier run has left is ended and removed; the log stays when the data goes."""
    data = tmp_path / "load" / "data"
    data.mkdir(parents=True)
    (data / MARK).touch()
    left = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], env=mark_of(data))
    with workspace(tmp_path / "load") as log:
        assert not psutil.pid_exists(left.pid)
        assert not data.exists()
        log("db", "a line")
        (tmp_path / "load" / "new").mkdir()
        with pytest.raises(StackError, match="already"), workspace(tmp_path / "load"):
            pass
    left.wait(10)
    assert sorted(path.name for path in (tmp_path / "load").iterdir()) == ["lock", LOG]
    assert (tmp_path / "load" / LOG).read_text() == "db: a line\n"
