"""What a task may be."""

import pytest

from todo_shared.validation import clean_task


@pytest.mark.parametrize("task", ["a", "x" * 200, "😀" * 200, "two  words", "zero\u200dwidth", "\u202eodd", "é"])
def test_good_task(task: str) -> None:
    """Whatever people write is a task, and stays as it is."""
    assert clean_task(task) == task


def test_blanks_around_a_task_are_dropped() -> None:
    """Blanks before and after do not count, not even towards the length."""
    assert clean_task("  " + "x" * 200 + "\u00a0 ") == "x" * 200


@pytest.mark.parametrize("task", ["", "   ", "\u00a0", "x" * 201, "a\x00", "a\nb", "a\tb", "\x7f", "\x85", "a\ud800"])
def test_bad_task(task: str) -> None:
    """Nothing, too much, and what cannot be shown or stored is refused with a sentence."""
    with pytest.raises(ValueError, match=r"^A task may .*\.$"):
        clean_task(task)
