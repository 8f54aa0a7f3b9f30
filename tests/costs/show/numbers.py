"""How numbers are written, and where they come from: here and nowhere else."""

from collections.abc import Sequence

from tests.costs.spread import Spread
from tests.support.page import counted
from tests.support.run_environment import Machine, RunRecord

NONE = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"


def figure(value: float | None, unit: str = "") -> str:
    """Return a number with three digits that count, or a dash for none: 0.47, 4.53, 16.4, 188, 1,234."""
    if value is None:
        return NONE
    digits = next((digits for digits, below in ((2, 9.995), (1, 99.95)) if abs(value) < below), 0)
    return f"{value:,.{digits}f} {unit}".rstrip()


def ratio(value: float) -> str:
    """Return how many times."""
    return f"{figure(value)} {TIMES}"


def ratio_of_rounds(spread: Spread | None) -> str:
    """Return a ratio with the lowest and the highest of its rounds."""
    return f"{ratio(spread.median)} {_ends(spread)}" if spread else NONE


def figure_of_rounds(spread: Spread) -> str:
    """Return a number with the lowest and the highest of its rounds."""
    return f"{figure(spread.median)} {_ends(spread)}"


def _ends(spread: Spread) -> str:
    return f"({figure(spread.low)} to {figure(spread.high)})"


def in_words(machine: Machine) -> str:
    """Return the machine in words."""
    return f"{machine.system}, {counted(machine.cores, 'core')}, {machine.memory_gib:g} GiB"


def measured_on(run: RunRecord, names: Sequence[str]) -> str:
    """Return when, where and with what it was measured, in a sentence."""
    versions = ", ".join(f"{name} {run.versions[name]}" for name in names if name in run.versions)
    return (
        f"Measured on {run.started:%Y-%m-%d} on {in_words(run.machine)}, with {versions}, and version "
        f"{run.write_path[:12]} of the write path."
    )
