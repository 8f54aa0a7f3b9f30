"""The judgement on a run of chaos, with made-up histories: what must not be is found, what may be is let pass."""

import json
from pathlib import Path

import pytest

from tests.faultlab.chaos.random_faults import InjectedFault
from tests.faultlab.chaos.result import ChaosResult, find_violations
from tests.faultlab.submitted import OPERATIONS, SubmittedOperation
from tests.support.history import Outcome
from todo_stack.twins import PLAIN, RESTATE


def submitted(kind: str, *outcomes: Outcome, effect: int, settled: bool = True) -> SubmittedOperation:
    """Return a made-up operation that was told this, one answer after the other."""
    operation = SubmittedOperation(kind, "marker", "key", effect=effect, settled=settled)
    for outcome in outcomes:
        operation.record(outcome, "")
    return operation


GOOD = [submitted(kind, Outcome.OK, effect=1) for kind in OPERATIONS for _ in range(20)]

LOST = submitted("add", Outcome.OK, effect=0)
STUCK = submitted("add", Outcome.UNKNOWN, effect=0, settled=False)
DOUBLED_BY_ITSELF = submitted("add", Outcome.OK, effect=2)
DOUBLED_BY_RESUBMISSION = submitted("add", Outcome.UNKNOWN, Outcome.OK, effect=2)
FOUND_GONE = submitted("delete", Outcome.UNKNOWN, Outcome.FAIL, effect=1)


@pytest.mark.parametrize(
    ("operation", "in_the_plain_twin", "in_the_restate_twin"),
    [
        pytest.param(LOST, 1, 1, id="lost"),
        pytest.param(STUCK, 1, 1, id="stuck"),
        pytest.param(DOUBLED_BY_ITSELF, 1, 1, id="doubled by itself"),
        # It cannot know a repetition from a new request; to the other the key says it.
        pytest.param(DOUBLED_BY_RESUBMISSION, 0, 1, id="doubled by resubmission"),
        # The second try of a delete that worked: annoying, and nothing that must not be.
        pytest.param(FOUND_GONE, 0, 0, id="found gone"),
    ],
)
def test_one_bad_operation(operation: SubmittedOperation, in_the_plain_twin: int, in_the_restate_twin: int) -> None:
    """One operation that must not be is enough, and which those are differs between the twins in one case only."""
    assert len(find_violations(PLAIN, [*GOOD, operation], seconds=60)) == in_the_plain_twin
    assert len(find_violations(RESTATE, [*GOOD, operation], seconds=60)) == in_the_restate_twin


def test_too_little_of_one_kind() -> None:
    """A run in which one kind of operation hardly ever succeeded proves nothing about that kind."""
    without_deletes = [operation for operation in GOOD if operation.kind != "delete"]
    (violation,) = find_violations(RESTATE, without_deletes, seconds=60)
    assert violation.startswith("delete: only 0 of 0 operations succeeded")


def test_history_on_disk(tmp_path: Path) -> None:
    """The history has one JSON object for each operation and fault, in the order of their beginnings."""
    fault = InjectedFault("kill", "db", at=5.0)
    operation = submitted("add", Outcome.UNKNOWN, Outcome.OK, effect=1)
    operations = [operation, *GOOD]
    ChaosResult(RESTATE, operations, [fault], violations=[]).write(tmp_path / "history.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert len(lines) == len(operations) + 1
    assert [line["what"] for line in lines[-2:]] == ["fault", "operation"]
    assert {"outcome": "ok", "verdict": "exactly once", "effect": 1, "key": "key"}.items() <= lines[-1].items()
    assert [answer["outcome"] for answer in lines[-1]["answers"]] == ["unknown", "ok"]
