"""A part of the matrix in which each seam, each fault, each operation and each client occurs."""

from pathlib import Path

import pytest
from allpairspy import AllPairs

from tests.faultlab.matrix.batch import Case, cases
from tests.faultlab.matrix.faults import FAULTS, Breaker
from tests.faultlab.matrix.lanes import Lanes, every_case
from tests.faultlab.matrix.records import Cell
from tests.faultlab.matrix.rules import CLIENTS, expected
from tests.faultlab.matrix.seams import OPERATIONS, SEAMS
from tests.faultlab.wire import Held
from tests.support.history import Verdict
from todo_stack.twins import PLAIN, RESTATE

SEED = 1


def covering() -> list[Case]:
    """Return cells of seams and faults such that each of both occurs, with every operation and client."""
    chosen: list[Case] = []
    for twin, seams in SEAMS.items():
        possible = [[f, s] for f in FAULTS[twin] for s in seams if not f.impossible(s)]

        def together(pair: list[object], possible: list[list[object]] = possible) -> bool:
            return len(pair) < 2 or pair in possible

        faults = [fault for fault in FAULTS[twin] if any(fault in pair for pair in possible)]
        for fault, seam in AllPairs([faults, seams], filter_func=together, n=1):
            chosen += cases([seam], [fault])
    return chosen


def run(wanted: list[Case], folder: Path, breaker: type[Breaker] = Breaker) -> list[Cell]:
    """Run cells and return them; a batch that failed is an error."""
    found: list[Cell] = []
    failures: list[str] = []
    Lanes(folder, SEED, found.extend, lambda _, error: failures.append(str(error)), breaker).run(wanted)
    assert failures == []
    return found


def test_part_covers_everything() -> None:
    """The part has each seam, fault, operation and client of both twins at least once."""
    part = covering()
    for twin, seams in SEAMS.items():
        of_twin = [case for case in part if case.seam.twin == twin]
        assert {case.seam.name for case in of_twin} == {seam.name for seam in seams}
        assert {case.fault.name for case in of_twin} == {
            case.fault.name for case in every_case() if case.seam.twin == twin
        }
        assert {case.operation for case in of_twin} == set(OPERATIONS)
        assert {case.client for case in of_twin} == set(CLIENTS)


def test_rules_foretell_what_the_design_promises() -> None:
    """By the rules the Restate twin never loses, duplicates or gets stuck; and every cell has a sentence."""
    foretold = {
        (case.seam.twin, *expected(case.seam, case.fault, case.operation, case.client)) for case in every_case()
    }
    never = {Verdict.LOST, Verdict.DUPLICATED, Verdict.STUCK}
    assert not never & {verdict for twin, verdict, _ in foretold if twin == RESTATE.key}
    assert Verdict.DUPLICATED in {verdict for twin, verdict, _ in foretold if twin == PLAIN.key}
    assert all(because.endswith(".") for _, _, because in foretold)


@pytest.mark.timeout(600)
def test_covering_part_of_the_matrix(tmp_path: Path) -> None:
    """Every cell comes to the verdict that the rules foretell."""
    part = covering()
    found = run(part, tmp_path)
    assert {cell.id for cell in found} == {case.id for case in part}
    wrong = [
        f"{cell.id}: {cell.verdict.value} and told {cell.told[0].outcome.value}, "
        f"expected {cell.expected.value} and {' or '.join(told.value for told in cell.foretold)}"
        for cell in found
        if not cell.as_expected
    ]
    assert wrong == []


class Harmless(Breaker):
    """Does nothing: what is held is let go."""

    def strike(self, held: object) -> None:
        """Let everything go."""
        assert isinstance(held, list)
        for _, message in held:
            assert isinstance(message, Held)
            message.release()


def test_without_the_faults_it_fails(tmp_path: Path) -> None:
    """If the faults are taken away, cells come to other verdicts than foretold: the matrix can fail."""
    lost_answers = [case for case in every_case() if case.seam.name == "committed" and case.fault.name == "kill web"]
    verdicts = {(cell.twin, cell.as_expected, cell.verdict) for cell in run(lost_answers, tmp_path, Harmless)}
    # Without the fault everything succeeds, whatever was foretold.
    assert {verdict for _, _, verdict in verdicts} == {Verdict.EXACTLY_ONCE}
    assert (PLAIN.key, False, Verdict.EXACTLY_ONCE) in verdicts
    assert (RESTATE.key, False, Verdict.EXACTLY_ONCE) in verdicts
