"""What is published is a whole run of this matrix, and knows of which code it is."""

import json
from pathlib import Path

import pytest

from tests.faultlab import published
from tests.faultlab.matrix.records import Journal
from tests.faultlab.published import NotPublishableError

RUN = published.read()


def test_round_trip(tmp_path: Path) -> None:
    """What the repository holds is what publishing this run writes, and each verdict is as the rules predict."""
    published.publish(RUN, tmp_path / "results.json")
    assert (tmp_path / "results.json").read_text() == published.PUBLISHED.read_text()
    assert not RUN.unexpected


def test_refused_runs(tmp_path: Path) -> None:
    """A part of a run is not published, and a verdict that was not predicted is neither."""
    first, *others = RUN.cells
    with pytest.raises(NotPublishableError, match="whole matrix"):
        published.publish(RUN.model_copy(update={"cells": others}), tmp_path / "results.json")
    odd = first.model_copy(update={"verdict": others[-1].verdict, "expected": first.verdict})
    with pytest.raises(NotPublishableError, match="1 verdicts are not as predicted"):
        published.publish(RUN.model_copy(update={"cells": [odd, *others]}), tmp_path / "results.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("seams", "statement, row", "row, statement"),
        ("verdicts", '"kill web"', '"another fault"'),
        ("verdicts", '"stall": "✓', '"stall": "'),
        ("verdicts", '"stall": "✓', '"stall": ".'),
        ("verdicts", '"stall": "✓', '"stall": "X'),
    ],
)
def test_another_matrix(tmp_path: Path, part: str, old: str, new: str) -> None:
    """Verdicts of other seams and faults than these are not read."""
    file = json.loads(published.PUBLISHED.read_text())
    changed = json.dumps(file[part], ensure_ascii=False).replace(old, new, 1)
    (tmp_path / "results.json").write_text(json.dumps(file | {part: json.loads(changed)}))
    with pytest.raises(NotPublishableError, match="another matrix"):
        published.read(tmp_path / "results.json")


def test_journal(tmp_path: Path) -> None:
    """An interrupted run goes on where it was, but not another run or one of other code."""
    path = tmp_path / "run" / "cells.jsonl"
    Journal(path, "", 1, "hash").add(list(RUN.cells[:3]))
    resumed = Journal(path, "", None, "hash")
    assert (resumed.resumed, resumed.seed) == (True, 1)
    assert [cell.model_dump_json() for cell in resumed.cells.values()] == [c.model_dump_json() for c in RUN.cells[:3]]
    begun_anew = Journal(path, "", 1, "another hash")
    assert (begun_anew.resumed, begun_anew.cells) == (False, {})
    begun_anew.finish()
    assert not path.exists()
