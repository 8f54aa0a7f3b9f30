"""The verdict: each combination of a client's outcome and of what happened has one."""

import pytest

from tests.support.history import (
    ClientOperation,
    NothingProvedError,
    Outcome,
    Truth,
    Verdict,
    count,
    describe,
    judge,
    verdict_on,
)

VERDICTS = {
    # After no effect, one, and two.
    Outcome.OK: (Verdict.LOST, Verdict.EXACTLY_ONCE, Verdict.DUPLICATED),
    Outcome.PENDING: (Verdict.LOST, Verdict.EXACTLY_ONCE, Verdict.DUPLICATED),
    Outcome.FAIL: (Verdict.REFUSED, Verdict.GHOST, Verdict.DUPLICATED),
    Outcome.UNKNOWN: (Verdict.NOT_APPLIED, Verdict.GHOST, Verdict.DUPLICATED),
}
UNSETTLED = (Verdict.STUCK, Verdict.STUCK, Verdict.DUPLICATED)


def operation(outcome: Outcome, effect: int | None, *, settled: bool = True) -> ClientOperation:
    """Return a made-up operation."""
    truth = None if effect is None else Truth(effect)
    made_up = ClientOperation("add", "marker", "key", truth=truth, settled=settled)
    made_up.record(outcome, "")
    return made_up


@pytest.mark.parametrize("outcome", Outcome)
def test_verdict(outcome: Outcome) -> None:
    """The verdict follows from the client's outcome and the number of effects."""
    assert tuple(judge(operation(outcome, effect)) for effect in range(3)) == VERDICTS[outcome]


@pytest.mark.parametrize("outcome", [Outcome.PENDING, Outcome.UNKNOWN])
def test_verdict_while_something_is_in_flight(outcome: Outcome) -> None:
    """An operation without a final answer is stuck while something still works on it, unless it is duplicated."""
    assert tuple(judge(operation(outcome, effect, settled=False)) for effect in range(3)) == UNSETTLED


@pytest.mark.parametrize("outcome", Outcome)
def test_verdict_on_a_part(outcome: Outcome) -> None:
    """A part without the rest is half done; stuck is worse, because somebody has to look; done twice is the worst."""
    assert verdict_on(outcome, Truth(half="charged and not recorded")) is Verdict.HALF_DONE
    assert verdict_on(outcome, Truth(half="charged and not recorded", goes_on=True)) is Verdict.STUCK
    assert verdict_on(outcome, Truth(2, half="charged twice", goes_on=True)) is Verdict.DUPLICATED


def test_effects_must_be_counted() -> None:
    """An operation whose effect nobody has counted has no verdict."""
    with pytest.raises(ValueError, match="was not counted"):
        judge(operation(Outcome.OK, None))


def test_a_run_that_proves_nothing_fails() -> None:
    """If too few operations succeeded, the counts are an error and not a result."""
    history = [operation(Outcome.OK, 1), *[operation(Outcome.FAIL, 0)] * 5]
    assert describe(count(history, minimum_ok=1)) == "exactly once 1, refused 5"
    with pytest.raises(NothingProvedError, match="only 1 of 6"):
        count(history, minimum_ok=2)
