"""What templates are made of: icons, hidden fields, and the rows of the list, which a template makes more slowly."""

import functools
from collections.abc import Container, Mapping, Sequence
from html import escape

from flask import url_for
from markupsafe import Markup

from todo_shared.list_view import View
from todo_shared.operations import Listed

PENDING = "pending"
_NUL = "\0"


def _made(html: str) -> Markup:
    # What others wrote is escaped by then.
    return Markup(html)  # noqa: S704


def icon(name: str) -> Markup:
    """Return one of the icons of _icons.html."""
    return _made(f'<svg class="icon" aria-hidden="true"><use href="#i-{escape(name)}"/></svg>')


def hidden_fields(csrf: str, request_id: str, more: Mapping[str, object]) -> Markup:
    """Return a form's hidden fields: the page's token and id, and more, by their names."""
    fields = {"csrf_token": csrf, "request_id": request_id, **more}
    made = (f'<input type="hidden" name="{escape(name)}" value="{escape(str(fields[name]))}">' for name in fields)
    return _made("\n".join(made))


@functools.lru_cache(maxsize=100)
def _carried(word: str) -> str:
    # Its first part says which icon it has.
    sign = "" if word == PENDING else icon(word.partition(" ")[0])
    return f'<small class="carried">{sign}{escape(word)}</small>'


def rows(todos: Sequence[Listed], view: View, busy: Container[int | None]) -> Markup:
    """Return todos as items of the list on this page of it; for those that are busy a call is pending.

    Each row names its buttons by the words of _list.html and its own text. A tick is submitted at once, also without
    JavaScript: so its checkbox is a button. Of a row each space is there a hundred times, and each quotation mark that
    HTML does not ask for.
    """
    if not todos:
        return _made("")
    of_one = ("update_todo", "delete_todo", "show_todo")
    update, delete, show = (escape(url_for(f"todo_routes.{name}", todo_id=1)[:-1]) for name in of_one)
    here = view.address()
    at = escape(here[len(View().address()) :])
    edit = escape(f"{here}{'&' if at else '?'}edit=")
    # A row is these two, with its id for each NUL, which no text of PostgreSQL has; and its own text between them.
    heads = [
        f'<li{kind}><button name=completed value={other} formaction="{update}\0" role=checkbox aria-checked={ticked} '
        f'aria-labelledby=t\0>&check;</button><a class=task id=t\0 href="{show}\0{at}">'
        for kind, ticked, other in (("", "false", "true"), (" class=completed", "true", "false"))
    ]
    tail = (
        f'<a href="{edit}\0" aria-labelledby="ed t\0">&#9998;</a>'
        f'<button formaction="{delete}\0" aria-labelledby="rm t\0">&times;</button></li>'
    )
    made = []
    tasks = escape(_NUL.join([todo[1] for todo in todos])).split(_NUL)
    for (todo_id, _, completed, words, _, _), task in zip(todos, tasks, strict=True):
        number, head, carries = str(todo_id), heads[completed], ""
        if todo_id in busy:
            head, words = head.replace("<li", '<li aria-busy="true"', 1), [PENDING, *(words or ())]
        if words:
            carries = f'<div class="carries">{"".join(map(_carried, words))}</div>'
        made.append(f"{head.replace(_NUL, number)}{task}</a>{carries}{tail.replace(_NUL, number)}")
    return _made("\n".join(made))
