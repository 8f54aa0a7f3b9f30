"""make fuzz in small, always with the same seed, and what it must find."""

import io
from random import Random

import pytest
import schemathesis
from rich.console import Console

from tests.fuzz.__main__ import Fuzz
from tests.fuzz.described import ask_as_described
from tests.fuzz.drawing import Drafts
from tests.fuzz.same import ask_both
from tests.fuzz.tally import Tally
from tests.fuzz.wire import ask_by_wire
from tests.support.running_twin import RunningStack, RunningTwin
from todo_stack.twins import TWINS

SEED = 1
DESCRIBED, SAME, BY_WIRE, FEW = 200, 60, 1_000, 60


def test_answers_are_as_described(twin: RunningTwin) -> None:
    """Each answer to requests that fit the description, and to others, is one that it has."""
    tally = Tally("described")
    ask_as_described(twin, DESCRIBED, tally, SEED)
    assert tally.wrong == []
    assert {200, 201, 204, 400, 404, 422} <= tally.statuses.keys()


def test_an_answer_that_is_not_described_is_found(twin: RunningTwin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A description without one of the answers does not pass."""
    from_url = schemathesis.openapi.from_url

    def without_404(url: str) -> object:
        schema = from_url(url)
        for path in schema.raw_schema["paths"].values():
            for operation in path.values():
                operation["responses"].pop("404", None)
        return schema

    monkeypatch.setattr(schemathesis.openapi, "from_url", without_404)
    with pytest.raises(BaseException, match="Undocumented status code"):
        ask_as_described(twin, DESCRIBED, Tally("described"), SEED)


def test_both_answer_alike(stack: RunningStack) -> None:
    """The same requests get the same answers, leave no trace if refused, and are read back equal if accepted."""
    tallies = [Tally(twin.key) for twin in TWINS]
    ask_both([RunningTwin(twin, stack) for twin in TWINS], SAME, tallies, SEED)
    assert {200, 201, 204, 302, 400, 404, 415, 422} <= tallies[0].statuses.keys()


def test_bytes(twin: RunningTwin) -> None:
    """Whatever bytes come, they are answered, but not with a server error, or the connection is closed."""
    tally = Tally("bytes")
    ask_by_wire(twin, BY_WIRE, tally, SEED)
    assert tally.wrong == []
    assert tally.sent == BY_WIRE
    assert {200, 201, 204, 302, 400, 404, 413, 422} <= tally.statuses.keys()


def test_whole_run(stack: RunningStack) -> None:
    """A run sends as many requests as it should, by all generators, and prints that."""
    console = Console(file=io.StringIO(), width=1000)
    fuzz = Fuzz([RunningTwin(twin, stack) for twin in TWINS], FEW, SEED, console)
    fuzz.ask()
    fuzz.report()
    assert fuzz.wrong == []
    printed = fuzz.console.file.getvalue()  # type: ignore[attr-defined]  # as given above
    assert printed.count(f"{FEW} requests") == len(TWINS)
    assert all(printed.count(f"  {name}") == len(TWINS) for name in ("described", "same in both", "bytes", "all"))


def test_what_a_part_finds_is_told(twin: RunningTwin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that fails does not keep the others from going on, and is told; so is that too little was sent."""

    def fail(*_: object) -> None:
        raise AssertionError("something is wrong")

    monkeypatch.setattr("tests.fuzz.__main__.ask_by_wire", fail)
    fuzz = Fuzz([twin], 1, SEED, Console(file=io.StringIO()))
    fuzz.ask()
    fuzz.number = FEW
    fuzz.report()
    assert "something is wrong" in fuzz.wrong[0]
    assert "requests were sent" in fuzz.wrong[1]


def test_same_seed_makes_the_same_requests() -> None:
    """A run can be repeated."""
    first, again, other = (
        [draft.to_bytes() for draft, _ in zip(Drafts(Random(seed), "host:1", "a=b", "token"), range(100), strict=False)]
        for seed in (SEED, SEED, SEED + 1)
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("status", "wrong"), [(499, False), (500, True), (501, False), (505, False), (503, True), (0, False)]
)
def test_what_counts_as_a_server_error(status: int, wrong: bool) -> None:
    """All 5xx do, but for the answers to a transfer coding or a version that is not known."""
    tally = Tally("made up")
    tally.add(status, "GET")
    assert bool(tally.wrong) == wrong
