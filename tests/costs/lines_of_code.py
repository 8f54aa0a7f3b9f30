"""How long code is: lines that do something, without comments, docstrings and what has no part in the matter."""

import ast
from collections.abc import Collection

from todo_stack.paths import REPOSITORY


def lines_of_code(path: str, without: Collection[str] = ()) -> int:
    """Count the lines of a file of the repository without these definitions; raises LookupError if one is not there."""
    return sum(map(bool, bare((REPOSITORY / path).read_text(encoding="utf-8"), without).splitlines()))


def bare(source: str, without: Collection[str] = ()) -> str:
    """Return a source with nothing but what is executed, each statement on its line.

    `without` has functions, classes and constants by name; of a class with its name: Class.method.
    """
    tree, missing = ast.parse(source), set(without)
    for holder in ast.walk(tree):
        if isinstance(holder, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            prefix = "" if isinstance(holder, ast.Module) else f"{holder.name}."
            names = {node: prefix + _name(node) for node in holder.body}
            missing.difference_update(names.values())
            holder.body = [node for node, name in names.items() if name not in without and not _is_text(node)]
    if missing:
        raise LookupError(f"there is no {', '.join(sorted(missing))}")
    return ast.unparse(tree)


def _name(node: ast.stmt) -> str:
    """Return what a statement defines, if it does; of several names the first."""
    defined = getattr(node, "targets", [getattr(node, "target", node)])[0]
    return str(getattr(defined, "name", getattr(defined, "id", "")))


def _is_text(node: ast.stmt) -> bool:
    """Whether it is a text that stands alone, which says something and does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
