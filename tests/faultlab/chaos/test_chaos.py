"""Chaos in short, and the judgement on it: what must not be is found, what may be is let pass."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.faultlab.chaos.random_faults import ChaosSettings, InjectedFault
from tests.faultlab.chaos.result import ChaosResult, find_violations, too_few
from tests.faultlab.chaos.run import run_chaos
from tests.faultlab.submitted import SubmittedOperation
from tests.support.control import LEDGER_ONLY
from tests.support.history import Outcome, Truth, Verdict
from tests.support.truth import OPERATIONS
from todo_stack.twins import PLAIN, RESTATE, TWINS, Twin

SECONDS = 15.0
SEED = 1
FEWEST_FAULTS = 2
STOP_SECONDS = 60
HALF = Truth(half="one part of it is there")


@pytest.mark.whole
@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_chaos(twin: Twin, tmp_path: Path) -> None:
    """Nothing is lost or stuck, nothing is doubled but what was submitted twice to the plain twin, and it lives on."""
    begun: list[InjectedFault] = []
    ended: list[InjectedFault] = []
    settings = ChaosSettings(SEED, SECONDS, 1.5, 1.5, begun.append, ended.append)
    result = run_chaos(twin, settings, tmp_path / "data")
    result.write(tmp_path / "history.jsonl")
    assert result.violations == [], f"seed {SEED}, history in {tmp_path / 'history.jsonl'}"
    assert len(result.faults) >= FEWEST_FAULTS
    assert begun == ended == result.faults
    assert result.verdicts[Verdict.EXACTLY_ONCE] > 0


@pytest.mark.whole
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


def submitted(kind: str, *outcomes: Outcome, effect: int, settled: bool = True) -> SubmittedOperation:
    """Return a made-up operation that was told this, one answer after the other."""
    operation = SubmittedOperation(kind, "marker", "key", truth=Truth(effect), settled=settled)
    for outcome in outcomes:
        operation.record(outcome, "")
    return operation


GOOD = [submitted(kind, Outcome.OK, effect=1) for kind in OPERATIONS for _ in range(20)]

LOST = submitted("add", Outcome.OK, effect=0)
STUCK = submitted("add", Outcome.UNKNOWN, effect=0, settled=False)
DOUBLED_BY_ITSELF = submitted("add", Outcome.OK, effect=2)
DOUBLED_BY_RESUBMISSION = submitted("add", Outcome.UNKNOWN, Outcome.OK, effect=2)
SET_AGAIN = submitted("remind", Outcome.UNKNOWN, Outcome.OK, effect=2)
FOUND_GONE = submitted("delete", Outcome.UNKNOWN, Outcome.FAIL, effect=1)
GIVEN_UP = submitted("pay", Outcome.UNKNOWN, effect=0, settled=False)
ANSWERED = submitted("pay", Outcome.UNKNOWN, Outcome.OK, effect=0)
ANSWERED.truth = Truth(goes_on=True)
PAID_TWICE = submitted("pay", Outcome.UNKNOWN, Outcome.OK, effect=2)
UNTOLD = submitted("tell", Outcome.OK, effect=0)
UNTOLD.truth = HALF
PLANNED_IN_PART = submitted("plan", Outcome.OK, effect=0)
PLANNED_IN_PART.truth = HALF
LEFT_IN_PART = submitted("plan", Outcome.UNKNOWN, effect=0)
LEFT_IN_PART.truth = HALF


@pytest.mark.parametrize(
    ("operation", "in_the_plain_twin", "in_the_restate_twin", "in_the_control"),
    [
        pytest.param(LOST, 1, 1, 1, id="lost"),
        pytest.param(STUCK, 1, 1, 1, id="stuck"),
        pytest.param(DOUBLED_BY_ITSELF, 1, 1, 1, id="doubled by itself"),
        # It cannot know a repetition from a new request; to the other the key says it.
        pytest.param(DOUBLED_BY_RESUBMISSION, 0, 1, 1, id="doubled by resubmission"),
        pytest.param(SET_AGAIN, 0, 1, 1, id="set again after it was mailed"),
        # The second try of a delete that worked: annoying, and nothing that must not be.
        pytest.param(FOUND_GONE, 0, 0, 0, id="found gone"),
        # Of two steps the second is nobody's, once its client is gone; who asks again must have both.
        pytest.param(GIVEN_UP, 0, 1, 0, id="given up"),
        pytest.param(ANSWERED, 1, 1, 1, id="answered and going on"),
        pytest.param(PAID_TWICE, 1, 1, 1, id="paid twice"),
        # The plain twin calls a watcher once, and whoever completes the todo does not wait for it.
        pytest.param(UNTOLD, 0, 1, 1, id="completed, and nobody told"),
        pytest.param(LEFT_IN_PART, 0, 1, 1, id="planned in part"),
        pytest.param(PLANNED_IN_PART, 1, 1, 1, id="planned in part, and told that it is planned"),
    ],
)
def test_one_bad_operation(
    operation: SubmittedOperation, in_the_plain_twin: int, in_the_restate_twin: int, in_the_control: int
) -> None:
    """One operation that must not be is enough, and which those are differs where a key or a second step counts."""
    assert len(find_violations(PLAIN, [*GOOD, operation], seconds=60)) == in_the_plain_twin
    assert len(find_violations(RESTATE, [*GOOD, operation], seconds=60)) == in_the_restate_twin
    assert len(find_violations(LEDGER_ONLY, [*GOOD, operation], seconds=60)) == in_the_control


def test_too_little_of_one_kind() -> None:
    """A run in which one kind of operation hardly ever succeeded proves nothing about that kind."""
    without_deletes = [operation for operation in GOOD if operation.kind != "delete"]
    (violation,) = find_violations(RESTATE, without_deletes, seconds=60)
    assert violation.startswith("delete: only 0 of 0 operations succeeded")
    assert too_few(RESTATE, without_deletes, seconds=60) == ["delete"]


def test_what_was_undone_had_succeeded() -> None:
    """A meeting that was cancelled was planned before, and the operation that cancelled it stands for both."""
    cancelled = [operation for operation in GOOD if operation.kind != "plan"]
    assert find_violations(PLAIN, cancelled, seconds=60) == []
    assert too_few(PLAIN, cancelled, seconds=60) == []


@pytest.mark.parametrize(
    ("began", "ended", "gap"),
    [
        pytest.param(3, 4, 4, id="between two successes"),
        pytest.param(0, 1, 2, id="before the first"),
        pytest.param(7, None, 13, id="nothing succeeded any more"),
    ],
)
def test_longest_gap(began: float, ended: float | None, gap: float) -> None:
    """The longest time without a success is counted from the beginning of the run to its end."""
    operations = [submitted("add", outcome, effect=1) for outcome in (Outcome.OK, Outcome.OK, Outcome.UNKNOWN)]
    for operation, completed in zip(operations, (2, 6, 19), strict=True):
        operation.invoked_at, operation.completed_at = completed - 2, completed
    fault = InjectedFault("kill", "db", at=began, began_at=began, ended_at=ended)
    assert ChaosResult(RESTATE, operations, [fault], violations=[]).longest_gaps() == {"kill: db": gap}


def test_history_on_disk(tmp_path: Path) -> None:
    """The history has one JSON object for each operation and fault, in the order of their beginnings."""
    fault = InjectedFault("kill", "db", at=5.0)
    operation = submitted("add", Outcome.UNKNOWN, Outcome.OK, effect=1)
    operations = [operation, *GOOD]
    ChaosResult(RESTATE, operations, [fault], violations=[]).write(tmp_path / "history.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert len(lines) == len(operations) + 1
    assert [line["what"] for line in lines[-2:]] == ["fault", "operation"]
    assert {"outcome": "ok", "verdict": "exactly once", "truth": [1, "", False], "key": "key"}.items() <= lines[
        -1
    ].items()
    assert [answer["outcome"] for answer in lines[-1]["answers"]] == ["unknown", "ok"]
