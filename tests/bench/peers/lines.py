"""Counts lines of code: what is left of a file without blank lines, comments, docstrings, and what is left out."""

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from todo_stack.applications import REPOSITORY

PEERS = Path(__file__).parent

_INVISIBLE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@dataclass(frozen=True)
class Counted:
    """A source file, from the top of the repository, and the definitions in it that are not counted."""

    path: str
    without: tuple[str, ...] = ()
    """Functions, classes and constants by name; of a class with its name: Class.method."""

    @property
    def lines(self) -> int:
        """How many lines of it are code.

        Raises:
            LookupError: a definition that is left out is not there.

        """
        return count((REPOSITORY / self.path).read_text(encoding="utf-8"), self.without)


def count(source: str, without: tuple[str, ...] = ()) -> int:
    """Return how many lines of a Python source are code, without these definitions.

    Raises:
        LookupError: one of them is not there.

    """
    tree = ast.parse(source)
    left_out: set[int] = set()
    found = set()
    for name, node in _definitions(tree):
        if name in without:
            found.add(name)
            first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
            left_out.update(range(first, (node.end_lineno or first) + 1))
    if missing := set(without) - found:
        raise LookupError(f"there is no {', '.join(sorted(missing))}")
    for part in ast.walk(tree):
        # A text that stands alone says something and does nothing: a docstring, also one under a setting.
        if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) and isinstance(part.value.value, str):
            left_out.update(range(part.lineno, (part.end_lineno or part.lineno) + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _INVISIBLE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - left_out)


def total(code: Iterable[Counted]) -> int:
    """Return the lines of several files."""
    return sum(part.lines for part in code)


def _definitions(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the definitions of a module and of its classes, each with its name."""
    for node in tree.body:
        for name in _names(node):
            yield name, node
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                for name in _names(member):
                    yield f"{node.name}.{name}", member


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign):
        return [node.target.id] if isinstance(node.target, ast.Name) else []
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def of_peer(name: str) -> tuple[Counted, ...]:
    """Return what makes a peer: its own files but the one that starts it here, and what all of them have in common."""
    own = sorted(path for path in (PEERS / f"{name}_peer").glob("*.py") if path.name != "running.py")
    common = [PEERS / file for file in ("web.py", "database.py", "gunicorn_conf.py")]
    return tuple(Counted(str(path.relative_to(REPOSITORY))) for path in (*own, *common))
