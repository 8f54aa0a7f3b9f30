"""How verdicts are called, shown and counted, wherever the fault lab reports."""

from dataclasses import dataclass

from tests.support.history import Verdict


@dataclass(frozen=True)
class LegendEntry:
    """How a verdict is shown: `symbol` tells it apart without colour, `style` is its colour in the terminal."""

    symbol: str
    css: str
    style: str
    client: str
    """What the client was told."""
    database: str
    """How often the write is in the database."""


_WORKED = "it worked, or it will"

LEGEND = {
    Verdict.EXACTLY_ONCE: LegendEntry("✓", "once", "green", _WORKED, "once"),
    Verdict.REFUSED: LegendEntry("\N{EN DASH}", "refused", "dim", "it failed", "not at all"),
    Verdict.NOT_APPLIED: LegendEntry("?", "unapplied", "", "nothing", "not at all"),
    Verdict.GHOST: LegendEntry("G", "ghost", "yellow", "nothing, or it failed", "once all the same"),
    Verdict.LOST: LegendEntry("L", "lost", "bold magenta", _WORKED, "not at all"),
    Verdict.DUPLICATED: LegendEntry("D", "duplicated", "bold red", "anything", "twice or more"),
    Verdict.HALF_DONE: LegendEntry("H", "half", "bold red", "anything", "one part, without the other"),
    Verdict.STUCK: LegendEntry("S", "stuck", "bold blue", "anything", "goes on for ever, by its record or in fact"),
}

HARM = {
    Verdict.DUPLICATED: "duplicated",
    Verdict.STUCK: "stuck",
    Verdict.HALF_DONE: "half done",
    Verdict.LOST: "lost",
    Verdict.GHOST: "done without the client being told so",
}
BAD = tuple(verdict for verdict in HARM if verdict is not Verdict.GHOST)
"""What must not be, whatever the client does: a ghost is found by who asks again."""
"""The verdicts that leave a user with something untrue, the worst first, as a sentence has them."""


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    number: int
    total: int

    @property
    def percent(self) -> str:
        """The share, rounded; 0 % means none and 100 % means all."""
        if 0 < self.number < self.total:
            return f"{min(max(round(100 * self.number / self.total), 1), 99)} %"
        return "100 %" if self.number else "0 %"

    def __str__(self) -> str:
        return f"{self.number:,} ({self.percent})" if self.number else "0"
