"""The result of a run of chaos, and which parts of it must not be."""

import json
from collections import Counter
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from tests.faultlab.chaos.random_faults import InjectedFault
from tests.faultlab.submitted import OPERATIONS, SubmittedOperation
from tests.support.history import NothingProvedError, Verdict, count, judge
from todo_stack.twins import Twin

MINIMUM_OK_PER_SECOND = 1.0
"""A run in which fewer operations than this succeed for each second proves nothing; without faults it is dozens."""


@dataclass
class ChaosResult:
    """The result of a run of one twin."""

    twin: Twin
    operations: list[SubmittedOperation]
    faults: list[InjectedFault]
    violations: list[str]
    """What must not be, in sentences."""

    @property
    def verdicts(self) -> Counter[Verdict]:
        """How many operations have each verdict, of those whose effects were counted."""
        return Counter(judge(operation) for operation in self.operations if operation.effect is not None)

    def write(self, file: Path) -> None:
        """Write the history, operations and faults, as one JSON object a line in the order of their beginnings."""
        history: list[tuple[float, dict[str, Any]]] = [
            (fault.began_at, {"what": "fault", **to_jsonable_python(fault)}) for fault in self.faults
        ]
        for operation in self.operations:
            verdict = None if operation.effect is None else judge(operation).value
            record = {"what": "operation", **to_jsonable_python(operation), "verdict": verdict}
            history.append((operation.invoked_at, record))
        with file.open("w") as lines:
            for _, record in sorted(history, key=itemgetter(0)):
                print(json.dumps(record), file=lines)


def find_violations(twin: Twin, history: list[SubmittedOperation], seconds: float) -> list[str]:
    """Return what must not be, in sentences."""
    violations = []
    for verdict in (Verdict.LOST, Verdict.DUPLICATED, Verdict.STUCK):
        found = [operation for operation in history if judge(operation) is verdict]
        if verdict is Verdict.DUPLICATED and not twin.durable:
            # It cannot know a repetition from a new request; but what was submitted once must not be there twice.
            found = [operation for operation in found if (operation.effect or 0) > len(operation.answers)]
        violations += [f"{verdict.value}: {o.kind} {o.marker}, told {', '.join(map(str, o.answers))}" for o in found]
    minimum_ok = int(seconds * MINIMUM_OK_PER_SECOND / len(OPERATIONS))
    for kind in OPERATIONS:
        try:
            count([operation for operation in history if operation.kind == kind], minimum_ok=minimum_ok)
        except NothingProvedError as error:
            violations.append(f"{kind}: {error}")
    return violations
