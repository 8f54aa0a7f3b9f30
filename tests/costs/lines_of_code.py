"""How long code is: lines that do something, without comments, docstrings and what has no part in the matter."""

import ast
from collections.abc import Collection, Iterator

from todo_stack.applications import REPOSITORY


def lines_of_code(path: str, without: Collection[str] = ()) -> int:
    """Count the lines of a file of the repository, given from its top, without these definitions.

    Raises:
        LookupError: a definition that is to be left out is not there.

    """
    return sum(map(bool, bare((REPOSITORY / path).read_text(encoding="utf-8"), without).splitlines()))


def bare(source: str, without: Collection[str] = ()) -> str:
    """Return a source with nothing but what is executed, each statement on its line.

    `without` has functions, classes and constants by name; of a class with its name: Class.method.
    """
    tree = ast.parse(source)
    missing = set(without)
    for holder in ast.walk(tree):
        if isinstance(holder, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            prefix = f"{holder.name}." if isinstance(holder, ast.ClassDef) else ""
            is_scope_of_names = isinstance(holder, ast.Module | ast.ClassDef)
            for node in list(holder.body):
                left_out = {f"{prefix}{name}" for name in _names(node)}.intersection(
                    without if is_scope_of_names else ()
                )
                missing -= left_out
                if left_out or _is_text(node):
                    holder.body.remove(node)
    if missing:
        raise LookupError(f"there is no {', '.join(sorted(missing))}")
    return ast.unparse(tree)


def _names(node: ast.stmt) -> Iterator[str]:
    """Yield what a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _is_text(node: ast.stmt) -> bool:
    """Whether it is a text that stands alone, which says something and does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
