"""What the measured code says, comments and docstrings left out: which version it is, and how long."""

import ast
import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from todo_stack.applications import REPOSITORY

WRITE_PATH = (
    "flask-todo/flask_todo",
    "flask-todo-restate/flask_todo_restate",
    "flask-todo-restate/flask-restate/flask_restate",
    "shared/todo-shared/todo_shared",
)
"""All Python that runs when a todo is written."""


class Counted(NamedTuple):
    """A source file, from the top of the repository, and the definitions in it that are not counted."""

    path: str
    without: Sequence[str] = ()
    """Functions, classes and constants by name; of a class with its name: Class.method."""

    @property
    def lines(self) -> int:
        """How many lines of it say something; raises LookupError if a definition that is left out is not there."""
        text = bare((REPOSITORY / self.path).read_text(encoding="utf-8"), self.without)
        return sum(bool(line) for line in text.splitlines())


def write_path() -> str:
    """Return twelve hexadecimal digits that are others when code on the way of a write is another."""
    digest = hashlib.sha256()
    for folder in WRITE_PATH:
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(REPOSITORY)}\n{bare(path.read_text(encoding='utf-8'))}\n".encode())
    return digest.hexdigest()[:12]


def bare(source: str, without: Sequence[str] = ()) -> str:
    """Return a source with nothing but what is executed, each statement on its line, and without these definitions."""
    tree = ast.parse(source)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    found: set[str] = set()
    holders: list[tuple[ast.Module | ast.ClassDef, str]] = [(tree, ""), *((node, f"{node.name}.") for node in classes)]
    for holder, prefix in holders:
        for node in list(holder.body):
            if left_out := {f"{prefix}{name}" for name in _names(node)}.intersection(without):
                found |= left_out
                holder.body.remove(node)
    if missing := set(without) - found:
        raise LookupError(f"there is no {', '.join(sorted(missing))}")
    for part in ast.walk(tree):
        if isinstance(part, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # A text that stands alone says something and does nothing.
            part.body = [one for one in part.body if not _is_text(one)]
    return ast.unparse(tree)


def _names(node: ast.stmt) -> Iterator[str]:
    """Yield what a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
