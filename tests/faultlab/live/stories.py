"""The stories of the live lab: each is a cell of the matrix for each twin, told for people."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from tests.faultlab.matrix.cases import Case
from tests.faultlab.matrix.faults import FAULTS
from tests.faultlab.matrix.rules import expected
from tests.faultlab.matrix.seams import SEAMS
from tests.support.history import Verdict
from tests.walkthrough.claims import Claim, read_claims
from todo_stack.twins import TWINS, Twin


class Place(BaseModel):
    """Where a twin is broken, and how."""

    model_config = ConfigDict(extra="forbid")

    seam: str
    fault: str


class Expected(NamedTuple):
    """What a twin must come to, and why."""

    verdict: Verdict
    because: str


class Story(BaseModel):
    """One story: what is asked for, what breaks, what to look at before, and what it means afterwards."""

    model_config = ConfigDict(extra="forbid")

    name: str
    title: str
    claim: Claim
    """What of the article it tries: the first that names this story."""
    operation: str
    client: str
    look: str
    means: str
    plain: Place | None = None
    """None where there is nothing to break: then it is done undisturbed."""
    restate: Place | None = None

    def case(self, twin: Twin) -> Case | None:
        """Return the cell of the matrix that a twin goes through."""
        if not (place := getattr(self, twin.key)):
            return None
        seam = next(seam for seam in SEAMS[twin][self.operation] if seam.name == place.seam)
        return Case(seam, next(fault for fault in FAULTS if fault.name == place.fault), self.client)

    def expected(self, twin: Twin) -> Expected:
        """Return what a twin must come to, by the rules of the matrix."""
        if not (case := self.case(twin)):
            return Expected(Verdict.EXACTLY_ONCE, "Nothing is broken here.")
        return Expected(*expected(case.seam, case.fault, case.client))

    def shown(self) -> dict[str, object]:
        """Return it for the page."""
        ends = {twin.key: self.expected(twin) for twin in TWINS}
        return {
            **self.model_dump(),
            "expected": {key: end.verdict.value for key, end in ends.items()},
            "because": {key: end.because for key, end in ends.items()},
        }


def read_stories() -> Mapping[str, Story]:
    """Return all stories by name, in their order."""
    tables = tomllib.loads(Path(__file__).with_name("stories.toml").read_text(encoding="utf-8"))
    shown = [claim for claim in read_claims().values() if claim.story]
    claims = {claim.story: claim for claim in reversed(shown)}
    return {name: Story(name=name, claim=claims[name], **table) for name, table in tables.items()}


STORIES = read_stories()
