"""How verdicts and twins are called, in the page, the terminal and the README."""

from dataclasses import dataclass

from tests.lab.history import Verdict

from .results import Twin


@dataclass(frozen=True)
class Word:
    """How a verdict is shown: `symbol` tells it apart without colour, `style` is its colour in the terminal."""

    symbol: str
    css: str
    style: str
    meaning: str


WORDS = {
    Verdict.EXACTLY_ONCE: Word(
        "✓", "once", "green", "the client was told that it worked or will, and it happened once"
    ),
    Verdict.REFUSED: Word("\N{EN DASH}", "refused", "dim", "the client was told that it failed, and nothing happened"),
    Verdict.NOT_APPLIED: Word("?", "unapplied", "", "the client was told nothing, and nothing happened"),
    Verdict.GHOST: Word("G", "ghost", "yellow", "the client was told nothing, or that it failed, and yet it happened"),
    Verdict.LOST: Word(
        "L", "lost", "bold magenta", "the client was told that it worked or will, and it never happened"
    ),
    Verdict.DUPLICATED: Word("D", "duplicated", "bold red", "it happened twice or more"),
    Verdict.STUCK: Word("S", "stuck", "bold blue", "it was still not settled when the time was up"),
}

HARM = (Verdict.DUPLICATED, Verdict.LOST, Verdict.STUCK, Verdict.GHOST)
"""The verdicts that leave a user with something untrue, in the order in which the answer names them."""

NAMES: dict[Twin, str] = {"basic": "flask-todo", "restate": "flask-todo-restate"}
PLAINLY: dict[Twin, str] = {"basic": "the plain twin", "restate": "the Restate twin"}


def times(number: int, one: str, several: str | None = None) -> str:
    """Return a number with its noun: 1 write, 2 writes, 1,200 writes."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def plain(verdict: Verdict) -> str:
    """Return the verdict as it reads within a sentence."""
    return {Verdict.GHOST: "ghost"}.get(verdict, verdict.value.lower())
