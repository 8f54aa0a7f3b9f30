"""The checker: every combination of what a client was told and what happened has one verdict."""

import pytest

from tests.support.history import ClientOperation, NothingProvedError, Outcome, Verdict, count, describe, judge

EVERY = [
    (Outcome.OK, 1, True, Verdict.EXACTLY_ONCE),
    (Outcome.OK, 0, True, Verdict.LOST),
    (Outcome.OK, 2, True, Verdict.DUPLICATED),
    (Outcome.PENDING, 1, True, Verdict.EXACTLY_ONCE),
    (Outcome.PENDING, 0, True, Verdict.LOST),
    (Outcome.PENDING, 3, True, Verdict.DUPLICATED),
    (Outcome.PENDING, 0, False, Verdict.STUCK),
    (Outcome.PENDING, 2, False, Verdict.DUPLICATED),
    (Outcome.FAIL, 0, True, Verdict.REFUSED),
    (Outcome.FAIL, 1, True, Verdict.GHOST),
    (Outcome.FAIL, 2, True, Verdict.DUPLICATED),
    (Outcome.UNKNOWN, 0, True, Verdict.NOT_APPLIED),
    (Outcome.UNKNOWN, 1, True, Verdict.GHOST),
    (Outcome.UNKNOWN, 0, False, Verdict.STUCK),
    (Outcome.UNKNOWN, 2, True, Verdict.DUPLICATED),
]


def operation(outcome: Outcome, effect: int | None, *, settled: bool = True) -> ClientOperation:
    """Return a made-up operation."""
    made_up = ClientOperation("add", "marker", "key", effect=effect, settled=settled)
    made_up.record(outcome, "")
    return made_up


@pytest.mark.parametrize(("outcome", "effect", "settled", "verdict"), EVERY)
def test_verdict(outcome: Outcome, effect: int, settled: bool, verdict: Verdict) -> None:
    """The verdict follows from the client's outcome, the number of effects, and whether all was quiet."""
    assert judge(operation(outcome, effect, settled=settled)) is verdict


def test_every_verdict_can_be_reached() -> None:
    """No word of the table is without a history that leads to it."""
    assert {verdict for *_, verdict in EVERY} == set(Verdict)


def test_effects_must_be_counted() -> None:
    """There is no verdict on an operation whose effect nobody has counted."""
    with pytest.raises(ValueError, match="was not counted"):
        judge(operation(Outcome.OK, None))


def test_a_run_that_proves_nothing_fails() -> None:
    """If too few operations succeeded, the counts are an error and not a result."""
    history = [operation(Outcome.OK, 1), *[operation(Outcome.FAIL, 0)] * 5]
    assert describe(count(history, minimum_ok=1)) == "exactly once 1, refused 5"
    with pytest.raises(NothingProvedError, match="only 1 of 6"):
        count(history, minimum_ok=2)
