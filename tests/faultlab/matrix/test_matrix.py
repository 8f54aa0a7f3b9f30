"""A part of the matrix in which each seam, each fault, each operation and each client occurs."""

from itertools import chain
from pathlib import Path

import pytest

from tests.faultlab.matrix.cases import Case, cases, every_case
from tests.faultlab.matrix.faults import FAULTS
from tests.faultlab.matrix.injector import FaultInjector, HeldMessages
from tests.faultlab.matrix.records import Cell, CellEvent
from tests.faultlab.matrix.rules import RESUBMITS, expected
from tests.faultlab.matrix.runner import MatrixRunner
from tests.faultlab.matrix.seams import SEAMS, Seam
from tests.faultlab.submitted import ClientAnswer
from tests.support.control import LEDGER_ONLY
from tests.support.history import Outcome, Verdict
from todo_stack.twins import PLAIN, RESTATE, TWINS

SEED = 1
SEAMS_TOGETHER = 22
OF_A_FAULT = 8
FOR_THE_CONTROL = "kill web"
FOR_REMINDERS = {PLAIN: "kill web", RESTATE: "kill service"}


def covering() -> list[Case]:
    """Return a batch of each fault: at seams that were not chosen before, with one kind of client or the other."""
    chosen: list[Case] = []
    for twin in TWINS:
        operations = SEAMS[twin]
        tried: list[Seam] = []
        for fault in FAULTS:
            possible = [seam for seam in chain(*operations.values()) if not fault.why_left_out(seam)]
            # A reminder takes a second to be due, and the plain twin's job one batch for each.
            possible = [seam for seam in possible if not seam.delayed or fault.name == FOR_REMINDERS[twin]]
            new = [seam for seam in possible if seam not in tried][:SEAMS_TOGETHER]
            # Where all were chosen, some that are far from one another.
            new = new or possible[:: len(possible) // 6 + 1]
            tried += new
            for number, seam in enumerate(new):
                clients = cases([seam], [fault])
                chosen.append(clients[number % len(clients)])
    return chosen


def of_each_fault() -> list[Case]:
    """Return some seams of each fault, far from one another, in the twins by turns: what takes long is the fault.

    A reminder is none of them, for each takes a second.
    """
    chosen: list[Case] = []
    for number, fault in enumerate(FAULTS):
        possible = [case for case in covering() if case.fault == fault and not case.seam.delayed]
        possible = [case for case in possible if case.seam.twin == TWINS[number % len(TWINS)]] or possible
        chosen += possible[:: len(possible) // OF_A_FAULT + 1]
    return chosen


def of_the_control() -> list[Case]:
    """Return a few of the control's: where something is done and its client does not know it, with both clients."""
    every = [case for case in every_case() if case.seam.twin == LEDGER_ONLY and case.fault.name == FOR_THE_CONTROL]
    return [case for case in every if case.seam.kind.name in ("committed", "answer", "response")]


def run(wanted: list[Case], folder: Path, injector: type[FaultInjector] = FaultInjector) -> list[Cell]:
    """Run cells and return them; a batch that failed is an error."""
    found: list[Cell] = []
    failures: list[str] = []
    MatrixRunner(folder, SEED, found.extend, lambda _, error: failures.append(str(error)), injector).run(wanted)
    assert failures == []
    return found


def values_of_each_part(chosen: list[Case]) -> list[set[str]]:
    """Return which seams of which operations, faults and clients occur, each with its twin."""
    names = [[str(case.seam), *(f"{case.seam.twin} {part}" for part in case.id.split("/"))] for case in chosen]
    return [set(column) for column in zip(*names, strict=True)]


def test_part_covers_everything() -> None:
    """The part has each seam of each operation, each fault and each client of both twins at least once."""
    of_the_twins = [case for case in every_case() if case.seam.twin in TWINS]
    assert values_of_each_part(covering()) == values_of_each_part(of_the_twins)


def test_rules_promise_what_the_design_promises() -> None:
    """By the rules the Restate twin never loses, duplicates or gets stuck; and every cell has a sentence."""
    rules = [(case.seam.twin, *expected(case.seam, case.fault, case.client)) for case in every_case()]
    verdicts = {twin: {verdict for of, verdict, _ in rules if of == twin} for twin in TWINS}
    assert not verdicts[RESTATE] & {Verdict.LOST, Verdict.DUPLICATED, Verdict.STUCK, Verdict.HALF_DONE}
    assert Verdict.DUPLICATED in verdicts[PLAIN]
    # With a ledger whoever asks again has it once, and nobody else sees to a second step.
    control = [(case, verdict) for case, (of, verdict, _) in zip(every_case(), rules, strict=True) if of == LEDGER_ONLY]
    assert {verdict for case, verdict in control if case.client == RESUBMITS} == {Verdict.EXACTLY_ONCE}
    bad = {Verdict.LOST, Verdict.DUPLICATED, Verdict.STUCK, Verdict.HALF_DONE}
    assert {(case.seam.operation, verdict) for case, verdict in control if verdict in bad} == {("pay", Verdict.STUCK)}
    assert all(because.endswith(".") for _, _, because in rules)


def test_small_part_has_each_fault() -> None:
    """The smaller part has each fault, and each operation but a reminder's mail, of one of the twins."""
    parts = [
        {part for case in chosen for part in (case.fault, case.seam.operation)}
        for chosen in (of_each_fault(), [case for case in covering() if not case.seam.delayed])
    ]
    assert parts[0] == parts[1]


def test_small_part_of_the_matrix(tmp_path: Path) -> None:
    """Every cell comes to the verdict that the rules predict."""
    check([*of_each_fault(), *of_the_control()], tmp_path)


@pytest.mark.whole
@pytest.mark.timeout(600)
def test_covering_part_of_the_matrix(tmp_path: Path) -> None:
    """Every cell comes to the verdict that the rules predict: each seam of each operation."""
    check(covering(), tmp_path)


def check(part: list[Case], tmp_path: Path) -> None:
    """Fail if a cell comes to another verdict than the rules predict."""
    found = run(part, tmp_path)
    assert {cell.id for cell in found} == {case.id for case in part}
    assert [f"{cell.id}: {cell.comparison}" for cell in found if not cell.as_expected] == []


def test_late_confirmation() -> None:
    """A refusal after Restate was asked whether it has the call is of a slow machine, if the rules expect none."""
    case = next(case for case in every_case() if case.seam.twin == RESTATE and case.fault.name == "pool exhausted")
    asked = CellEvent(at=3000, kind="passed", label="POST /restate/send/TodoService/add_todo")
    refused = ClientAnswer(3100, Outcome.FAIL, "503")
    cell = case.cell(Verdict.GHOST, expected_outcomes=(Outcome.PENDING,), effect=1, answers=[refused])
    assert not cell.too_slow
    assert cell.model_copy(update={"events": [asked]}).too_slow
    assert not cell.model_copy(update={"events": [asked], "effect": 2}).too_slow
    expecting_it = {"expected": Verdict.GHOST, "expected_outcomes": (Outcome.FAIL,)}
    assert not cell.model_copy(update={"events": [asked], **expecting_it}).too_slow


class Harmless(FaultInjector):
    """Does nothing: what is held is let go."""

    def inject(self, held: HeldMessages) -> None:
        """Let everything go."""
        for _, message in held:
            message.release()


@pytest.mark.whole
def test_without_the_faults_it_fails(tmp_path: Path) -> None:
    """If the faults are taken away, cells come to other verdicts than predicted: the matrix can fail."""
    every = [case for case in every_case() if case.seam.twin in TWINS]
    lost_answers = [case for case in every if case.seam.name == "committed" and case.fault.name == "kill web"]
    found = run(lost_answers, tmp_path, Harmless)
    # Without the fault everything succeeds, whatever was predicted.
    assert {cell.verdict for cell in found} == {Verdict.EXACTLY_ONCE}
    assert {cell.twin for cell in found if not cell.as_expected} == {twin.key for twin in TWINS}
