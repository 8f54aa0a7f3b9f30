"""A run that was never made, for the tests: real seams and faults, verdicts and events at random."""

import random

from tests.faultlab import published
from tests.faultlab.matrix.cases import Case, every_case
from tests.faultlab.matrix.records import Cell, CellEvent, MatrixRun
from tests.faultlab.submitted import ClientAnswer
from tests.support.history import Outcome, Verdict

_FAULTS = ("connection reset", "kill web", "kill Restate", "power cut")


def made_up_run(seed: int = 1, *, as_expected: bool = True) -> MatrixRun:
    """Return a run of a few faults."""
    dice = random.Random(seed)
    cells = [_cell(dice, case, as_expected) for case in every_case() if case.fault.name in _FAULTS]
    return published.read().model_copy(update={"cells": cells})


def _cell(dice: random.Random, case: Case, as_expected: bool) -> Cell:
    verdict = dice.choice(list(Verdict))
    to_server = {"link": case.seam.link, "direction": "to server"}
    return case.cell(
        verdict,
        expected=verdict if as_expected or dice.random() < 0.9 else dice.choice(list(Verdict)),
        because=f"It is made up that it was {verdict.value} for <reason> {dice.randint(1, 3)}.",
        answers=[ClientAnswer(200, dice.choice(list(Outcome)), "503")],
        effect=dice.randint(0, 2),
        effect_when_held=dice.choice([None, 0, 1]),
        events=[
            CellEvent(at=1, link="client to web", direction="to server", kind="passed", label="POST /add"),
            CellEvent(at=2.5, **to_server, kind="held", label="</script> COMMIT"),
            CellEvent(at=4, link="web", kind="fault", label="SIGKILL web"),
            *(
                CellEvent(at=100, **to_server, kind=kind, label="row")
                for kind in ("stalled", "released", "dropped", "reset", "lost")
            ),
            CellEvent(at=120, link="client to web", direction="to client", kind="passed", label="POST /add"),
            CellEvent(at=150, link="web", kind="heal", label="web started again"),
            CellEvent(at=2000, link="everything", kind="fault", label="power cut"),
            CellEvent(at=3000, link="everything", kind="heal", label="everything started again"),
        ],
    )
