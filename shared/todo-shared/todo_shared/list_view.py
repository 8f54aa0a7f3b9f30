"""Which part of the list is looked at: a page of all todos, or of the active or the completed ones."""

import re
from dataclasses import dataclass
from typing import Self

from flask import request, url_for
from werkzeug.exceptions import HTTPException

SHOWN: dict[str, bool | None] = {"": None, "active": False, "completed": True}
"""What a page may be told to show: todos that are completed, that are not, or both."""


@dataclass(frozen=True)
class View:
    """A page of the list, the first by default."""

    page: int = 1
    show: str = ""

    @classmethod
    def asked(cls) -> Self:
        """Return what the request's address or form names. What is no page, or cannot be shown, is the default."""
        try:
            page, show = request.values.get("page", ""), request.values.get("show", "")
        except HTTPException:  # The error page of a body that cannot be read.
            return cls()
        # Python does not read any number of digits. A longer number is the last page, too.
        number = min(int(page[:7]), 1_000_000) if re.fullmatch("[1-9][0-9]*", page) else 1
        return cls(number, show if show in SHOWN else "")

    @property
    def completed(self) -> bool | None:
        """Whether completed todos are looked at, active ones, or both."""
        return SHOWN[self.show]

    @property
    def parameters(self) -> dict[str, str]:
        """What distinguishes it from the list's first page, as fields of a form or parameters of an address."""
        page = {"page": str(self.page)} if self.page > 1 else {}
        return page | ({"show": self.show} if self.show else {})

    def address(self, anchor: str | None = None) -> str:
        """Return its address, at a place on the page."""
        return url_for("todo_routes.index", _anchor=anchor, **self.parameters)  # type: ignore[arg-type]  # its stub

    def neighbour(self, step: int) -> "View":
        """Return the page so many pages older than this."""
        return View(self.page + step, self.show)


def back_to_todo(todo_id: int, **more: str) -> str:
    """Return the address of a todo's own page, from which it goes back to the page that was looked at."""
    return url_for("todo_routes.show_todo", todo_id=todo_id, **more, **View.asked().parameters)  # type: ignore[arg-type]  # its stub


def back(todo_id: int | None = None) -> str:
    """Return the address of the page whose form was submitted, at this todo."""
    return View.asked().address(f"t{todo_id}" if todo_id else None)


def back_to_new() -> str:
    """Return the address of the page on which a new todo is seen."""
    show = View.asked().show
    return View(show="" if show == "completed" else show).address()
