"""The hash of the write path changes with what a write does, and with nothing else."""

import json
from pathlib import Path

import pytest

from tests.support.write_path import CONTROL, FOLDERS, PAGES, write_path_hash
from todo_stack.paths import REPOSITORY

CODE = '"""Old."""\n\n\ndef add(task):\n    return task\n'


def test_every_folder_has_code() -> None:
    """A folder that was renamed does not drop out of the hash unseen."""
    assert all(list((REPOSITORY / folder).glob("*.py")) for folder in FOLDERS)
    assert all((REPOSITORY / page).is_file() for page in PAGES)


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        ("flask-todo/flask_todo/app.py", '"""Old."""', '"""New."""\n# A comment.', True),
        ("flask-todo/flask_todo/app.py", "    return task", "    return (\n        task)", True),
        *((f"{folder}/app.py", "return task", "yield task", False) for folder in FOLDERS),
        ("flask-todo-restate/flask_todo_restate/services/todo_service.py", "add", "update", False),
        (CONTROL, "return task", "yield task", False),
        *((page, "return task", "yield task", True) for page in PAGES),
        ("flask-todo-restate/node_modules/flask_x/x.py", "add", "update", True),
        ("shared/todo-stack/todo_stack/stack.py", "add", "update", True),
        ("constraints.txt", "SQLAlchemy==2", "SQLAlchemy==3", False),
        ("constraints.txt", "ruff==0", "ruff==1", True),
        ("flask-todo-restate/package-lock.json", "1.7", "1.8", False),
    ],
)
def test_what_changes_the_hash(tmp_path: Path, file: str, old: str, new: str, same: bool) -> None:
    """Statements and the versions that matter change it; comments, docstrings, layout and other code do not."""
    files = (
        {f"{folder}/app.py": CODE for folder in FOLDERS}
        | dict.fromkeys(PAGES, CODE)
        | {
            CONTROL: CODE,
            "flask-todo-restate/flask_todo_restate/services/todo_service.py": CODE,
            "flask-todo-restate/node_modules/flask_x/x.py": CODE,
            "shared/todo-stack/todo_stack/stack.py": CODE,
            "constraints.txt": "SQLAlchemy==2\nruff==0\n",
            "flask-todo-restate/package-lock.json": json.dumps(
                {"packages": {"node_modules/@restatedev/restate-server": {"version": "1.7"}}}
            ),
        }
    )
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    before = write_path_hash(tmp_path)
    assert old in files[file]
    (tmp_path / file).write_text(files[file].replace(old, new))
    assert (write_path_hash(tmp_path) == before) == same
