"""Chaos in short: both twins come out of a few random faults with the verdicts that are theirs."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.faultlab.chaos.random_faults import ChaosSettings
from tests.faultlab.chaos.run import run_chaos
from tests.support.history import Verdict
from todo_stack.twins import TWINS, Twin

SECONDS = 15.0
SEED = 1
FEWEST_FAULTS = 2
STOP_SECONDS = 60


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_chaos(twin: Twin, tmp_path: Path) -> None:
    """Nothing is lost or stuck, nothing is doubled but what was submitted twice to the plain twin, and it lives on."""
    result = run_chaos(twin, ChaosSettings(SEED, SECONDS, on_seconds=1.5, off_seconds=1.5), tmp_path / "data")
    result.write(tmp_path / "history.jsonl")
    assert result.violations == [], f"seed {SEED}, history in {tmp_path / 'history.jsonl'}"
    assert len(result.faults) >= FEWEST_FAULTS
    assert result.verdicts[Verdict.EXACTLY_ONCE] > 0


def test_asked_to_end(tmp_path: Path) -> None:
    """Asked to end in the middle of a fault, it stops everything and leaves neither process nor data."""
    arguments = f"-m tests.faultlab.chaos --twin restate --seed {SEED} --data".split()
    with subprocess.Popen(
        [sys.executable, *arguments, tmp_path], stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("restate"):
                break
        servers = psutil.Process(process.pid).children(recursive=True)
        assert len(servers) > 1
        process.send_signal(signal.SIGTERM)
        said = process.stdout.read()
        assert process.wait(STOP_SECONDS) == 130
    assert "stopped" in said
    _, left = psutil.wait_procs(servers, timeout=STOP_SECONDS)
    assert left == []
    assert list(tmp_path.iterdir()) == []
