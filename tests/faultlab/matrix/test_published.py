"""What is published is a whole run of this matrix, and knows of which code it is."""

import json
from pathlib import Path

import pytest

from tests.faultlab.matrix import published
from tests.faultlab.matrix.journal import Journal
from tests.faultlab.matrix.published import NotPublishableError
from tests.support.write_path import write_path_hash

RUN = published.read()


def test_round_trip(tmp_path: Path) -> None:
    """What the repository holds is what publishing this run writes, and each verdict is as the rules foretell."""
    published.publish(RUN, tmp_path / "results.json")
    assert (tmp_path / "results.json").read_text() == published.PUBLISHED.read_text()
    assert not RUN.unexpected


def test_refused_runs(tmp_path: Path) -> None:
    """A part of a run is not published, and a verdict that was not foretold is neither."""
    first, *others = RUN.cells
    with pytest.raises(NotPublishableError, match="whole matrix"):
        published.publish(RUN.model_copy(update={"cells": others}), tmp_path / "results.json")
    odd = first.model_copy(update={"verdict": others[-1].verdict, "expected": first.verdict})
    with pytest.raises(NotPublishableError, match="1 verdicts are not as foretold"):
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
    """Verdicts of other seams and faults than those of now are not read."""
    file = json.loads(published.PUBLISHED.read_text())
    changed = json.dumps(file[part], ensure_ascii=False).replace(old, new, 1)
    (tmp_path / "results.json").write_text(json.dumps(file | {part: json.loads(changed)}))
    with pytest.raises(NotPublishableError, match="another matrix"):
        published.read(tmp_path / "results.json")


CODE = '"""Old."""\n\n\ndef add(task):\n    return task\n'


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        ("flask-todo/flask_todo/app.py", '"""Old."""', '"""New."""\n# A comment.', True),
        ("flask-todo/flask_todo/app.py", "    return task", "    return (\n        task)", True),
        ("flask-todo/flask_todo/app.py", "return task", "return None", False),
        ("shared/todo-shared/todo_shared/operations.py", "return task", "yield task", False),
        ("flask-todo-restate/flask_todo_restate/services/todo_service.py", "add", "update", False),
        ("flask-todo-restate/flask_restate/ledger.py", "add", "update", False),
        ("flask-todo-restate/node_modules/flask_x/x.py", "add", "update", True),
        ("shared/todo-stack/todo_stack/stack.py", "add", "update", True),
        ("constraints.txt", "SQLAlchemy==2", "SQLAlchemy==3", False),
        ("constraints.txt", "ruff==0", "ruff==1", True),
        ("flask-todo-restate/package-lock.json", "1.7", "1.8", False),
    ],
)
def test_write_path_hash(tmp_path: Path, file: str, old: str, new: str, same: bool) -> None:
    """The hash changes with what the code of a write does and with the versions that matter, and with nothing else."""
    server = {"packages": {"node_modules/@restatedev/restate-server": {"version": "1.7"}}}
    for name in (
        "flask-todo/flask_todo/app.py",
        "flask-todo-restate/flask_todo_restate/services/todo_service.py",
        "flask-todo-restate/flask_restate/ledger.py",
        "flask-todo-restate/node_modules/flask_x/x.py",
        "shared/todo-shared/todo_shared/operations.py",
        "shared/todo-stack/todo_stack/stack.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(CODE)
    (tmp_path / "constraints.txt").write_text("SQLAlchemy==2\nruff==0\n")
    (tmp_path / "flask-todo-restate" / "package-lock.json").write_text(json.dumps(server))
    before = write_path_hash(tmp_path)
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    assert (write_path_hash(tmp_path) == before) == same


def test_journal(tmp_path: Path) -> None:
    """An interrupted run goes on where it was, but not another run or one of other code."""
    path, about = tmp_path / "run" / "cells.jsonl", {"only": "", "seed": 1, "write_path": "hash"}
    Journal(path, about).add(list(RUN.cells[:3]))
    resumed = Journal(path, about)
    assert resumed.resumed
    assert [cell.model_dump_json() for cell in resumed.cells.values()] == [c.model_dump_json() for c in RUN.cells[:3]]
    begun_anew = Journal(path, {**about, "write_path": "another hash"})
    assert not begun_anew.resumed
    assert not begun_anew.cells
    begun_anew.finish()
    assert not path.exists()
