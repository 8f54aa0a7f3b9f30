"""A run that was never made, for the tests: real seams and faults, verdicts and events at random."""

import random
from datetime import UTC, datetime

from tests.faultlab.matrix.cases import Case, every_case
from tests.faultlab.matrix.records import Cell, CellAnswer, CellEvent, MatrixRun
from tests.faultlab.wire.events import EventKind
from tests.support.history import Outcome, Verdict
from tests.support.run_environment import Machine

_FAULTS = ("connection reset", "kill web", "kill Restate", "power cut")
_KINDS = (EventKind.STALLED, EventKind.RELEASED, EventKind.DROPPED, EventKind.RESET, EventKind.LOST)


def made_up_run(seed: int = 1, *, as_expected: bool = True) -> MatrixRun:
    """Return a run of a few faults."""
    dice = random.Random(seed)
    return MatrixRun(
        seed=seed,
        started=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        seconds=61.5,
        machine=Machine(cores=2, memory_gib=4, system="made-up system"),
        versions=dict.fromkeys(("PostgreSQL", "Restate", "Python", "Flask"), "0.1-made-up"),
        write_path="made-up hash",
        cells=[_cell(dice, case, as_expected) for case in every_case() if case.fault.name in _FAULTS],
    )


def _cell(dice: random.Random, case: Case, as_expected: bool) -> Cell:
    verdict = dice.choice(list(Verdict))
    to_server = {"link": case.seam.link, "direction": "to server"}
    return case.cell(
        verdict,
        expected=verdict if as_expected or dice.random() < 0.9 else dice.choice(list(Verdict)),
        because=f"It is made up that it was {verdict.value} for <reason> {dice.randint(1, 3)}.",
        answers=[CellAnswer(at=200, outcome=dice.choice(list(Outcome)), detail="503")],
        effect=dice.randint(0, 2),
        effect_when_held=dice.choice([None, 0, 1]),
        events=[
            CellEvent(at=1, link="client to web", direction="to server", kind="passed", label="POST /add"),
            CellEvent(at=2.5, **to_server, kind="held", label="</script> COMMIT"),
            CellEvent(at=4, link="web", kind="fault", label="SIGKILL web"),
            *(CellEvent(at=100, **to_server, kind=kind, label="row") for kind in _KINDS),
            CellEvent(at=120, link="client to web", direction="to client", kind="passed", label="POST /add"),
            CellEvent(at=150, link="web", kind="heal", label="web started again"),
            CellEvent(at=2000, link="everything", kind="fault", label="power cut"),
            CellEvent(at=3000, link="everything", kind="heal", label="everything started again"),
        ],
    )
