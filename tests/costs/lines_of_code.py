"""How long code is: lines that do something, without comments, docstrings and what has no part in the matter."""

import ast
from collections.abc import Collection, Iterator

from todo_stack.applications import REPOSITORY


def lines_of_code(path: str, without: Collection[str] = ()) -> int:
    """Count the lines of a file of the repository without these definitions; raises LookupError if one is not there."""
    return sum(map(bool, bare((REPOSITORY / path).read_text(encoding="utf-8"), without).splitlines()))


def bare(source: str, without: Collection[str] = ()) -> str:
    """Return a source with nothing but what is executed, each statement on its line.

    `without` has functions, classes and constants by name; of a class with its name: Class.method.
    """
    tree = ast.parse(source)
    found: set[str] = set()
    for holder in ast.walk(tree):
        if isinstance(holder, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            named = [(node, set(_names(holder, node)).intersection(without)) for node in holder.body]
            found.update(*(names for _, names in named))
            holder.body = [node for node, names in named if not names and not _is_text(node)]
    if missing := set(without) - found:
        raise LookupError(f"there is no {', '.join(sorted(missing))}")
    return ast.unparse(tree)


def _names(holder: ast.AST, node: ast.stmt) -> Iterator[str]:
    """Yield what a statement of a module or a class defines."""
    if not isinstance(holder, ast.Module | ast.ClassDef):
        return
    prefix = f"{holder.name}." if isinstance(holder, ast.ClassDef) else ""
    for part in (node, *getattr(node, "targets", ()), getattr(node, "target", None)):
        if name := getattr(part, "name", None) or getattr(part, "id", None):
            yield prefix + name


def _is_text(node: ast.stmt) -> bool:
    """Whether it is a text that stands alone, which says something and does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
