"""Where figures come from, in words."""

from collections.abc import Sequence

from tests.costs.records import RunRecord
from tests.costs.show.numbers import chosen, counted
from tests.run_environment import Machine


def in_words(machine: Machine) -> str:
    """Return the machine in words."""
    return f"{machine.system}, {counted(machine.cores, 'core')}, {chosen(machine.memory_gib)} GiB"


def measured_on(run: RunRecord, names: Sequence[str]) -> str:
    """Return when, where and with what it was measured, in a sentence."""
    versions = ", ".join(f"{name} {run.versions[name]}" for name in names if name in run.versions)
    return (
        f"Measured on {run.started:%Y-%m-%d} on {in_words(run.machine)}, with {versions}, and version "
        f"{run.write_path} of the write path."
    )
