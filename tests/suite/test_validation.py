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


@pytest.mark.parametrize(
    "task",
    [
        "\U0001f469\u200d\U0001f4bb",  # A woman with a laptop: two emoji and a joiner.
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # Scotland's flag, made of tags.
        "\u2764\ufe0f",  # A heart, and a variation selector.
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a non-joiner.
        "\u3164x",
        "\u0301",
        "\u0600",
        ".",
    ],
    ids=ascii,
)
def test_invisible_characters_beside_visible_ones(task: str) -> None:
    """What cannot be seen is kept where something else can."""
    assert clean_task(task) == task


INVISIBLE = [
    *"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180e\u180f\u200b\u200c\u200d\u200e\u200f\u202e\u2060\u2061\u2064",
    *"\u2066\u206f\u2800\u3000\u3164\ufe00\ufe0f\ufeff\uffa0\ufff9\U0001d159\U0001d173\U000e0020\U000e007f\U000e0100",
]


@pytest.mark.parametrize("task", [*INVISIBLE, "\u200b \u200b", "\u3164" * 9, "".join(INVISIBLE)], ids=ascii)
def test_task_that_only_looks_empty(task: str) -> None:
    """What shows nothing is blank."""
    with pytest.raises(ValueError, match="blank"):
        clean_task(task)


@pytest.mark.parametrize(
    "task", ["a\u2028b", "a\u2029", "", "   ", "\u00a0", "x" * 201, "a\x00", "a\nb", "a\tb", "\x7f", "\x85", "a\ud800"]
)
def test_bad_task(task: str) -> None:
    """Nothing, too much, and what cannot be shown or stored is refused with a sentence."""
    with pytest.raises(ValueError, match=r"^A task may .*\.$"):
        clean_task(task)
