"""What a run of chaos came to, and what of it must not be."""

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faultlab.nemesis import Fault
from tests.faultlab.workload import KINDS, Submitted
from tests.support.history import NothingProvedError, Verdict, count, judge
from todo_stack.twins import PLAIN

MINIMUM_OK_PER_SECOND = 1.0
"""A run in which fewer operations than this succeed for each second proves nothing; without faults it is dozens."""


@dataclass
class Result:
    """What a run of one twin came to."""

    twin: str
    seed: int
    operations: list[Submitted]
    faults: list[Fault]
    verdicts: Counter[Verdict]
    violations: list[str] = field(default_factory=list)
    """What must not be, in sentences."""

    def write(self, file: Path) -> None:
        """Write the history, operations and faults, as one JSON object a line."""
        with file.open("w") as lines:
            both: list[Submitted | Fault] = [*self.operations, *self.faults]
            for one in sorted(both, key=_beginning):
                print(json.dumps(_as_json(one)), file=lines)


def find_violations(twin: str, history: list[Submitted], seconds: float) -> list[str]:
    """Return what must not be, in sentences."""
    violations = []
    for verdict in (Verdict.LOST, Verdict.DUPLICATED, Verdict.STUCK):
        found = [operation for operation in history if judge(operation) is verdict]
        if verdict is Verdict.DUPLICATED and twin == PLAIN.key:
            # It cannot know a repetition from a new request; but what was submitted once must not be there twice.
            found = [operation for operation in found if (operation.effect or 0) > len(operation.answers)]
        violations += [f"{verdict.value}: {o.kind} {o.marker}, told {', '.join(o.answers)}" for o in found]
    for kind in KINDS:
        try:
            count([o for o in history if o.kind == kind], minimum_ok=int(seconds * MINIMUM_OK_PER_SECOND / len(KINDS)))
        except NothingProvedError as error:
            violations.append(f"{kind}: {error}")
    return violations


def _beginning(one: Submitted | Fault) -> float:
    return one.invoked_at if isinstance(one, Submitted) else one.began_at


def _as_json(one: Submitted | Fault) -> dict[str, Any]:
    if isinstance(one, Fault):
        return {"what": "fault", **dataclasses.asdict(one)}
    return {
        "what": "operation",
        **dataclasses.asdict(one),
        "outcome": one.outcome.value,
        "verdict": None if one.effect is None else judge(one).value,
    }
