"""The pages of both twins."""

from typing import NamedTuple

from flask import flash, render_template, request
from sqlalchemy import Connection, select
from werkzeug.datastructures import MultiDict

from todo_shared import operations
from todo_shared.features.forms import FeatureForm
from todo_shared.features.pages import todo_page
from todo_shared.forms import AddForm, TodoForm, UpdateForm, for_forms, form_of, new_request_id
from todo_shared.list_view import View
from todo_shared.models import Todo
from todo_shared.models.database import committing, reading
from todo_shared.schemas import ClearedData

PAGE_SIZE = 100


class Edited(NamedTuple):
    """The todo whose row is a form, and what is in it."""

    id: int
    task: str


def todo_list(form: TodoForm | None = None, message: str = "") -> str:
    """Return the page with the list; a form that was not accepted is shown as it was submitted, with the message."""
    view = View.asked()
    with reading() as database:
        found = operations.page(database, view.page, PAGE_SIZE, completed=view.completed)
        if view.page > 1 and not found.todos:
            view = View(operations.last_page(database, PAGE_SIZE, completed=view.completed), view.show)
            found = operations.page(database, view.page, PAGE_SIZE, completed=view.completed)
        edited = _edited(database, found, form)
    todos = found.todos[:PAGE_SIZE]
    # What is edited may be on another page by now, or gone: then its form is above the list.
    place = next((index for index, todo in enumerate(todos) if todo.id == edited.id), -1) if edited else -1
    return render_template(
        "index.html",
        todos=todos,
        above=todos[: max(0, place)],
        below=todos[place + 1 :],
        found=found,
        view=view,
        has_next=len(found.todos) > PAGE_SIZE,
        edited=edited,
        message=message,
        **for_forms(form),
    )


def _edited(database: Connection, found: operations.Page, form: TodoForm | None) -> Edited | None:
    if isinstance(form, UpdateForm) and form.task.raw_data and request.view_args:
        return Edited(request.view_args["todo_id"], form.task.data or "")
    given = request.args.get("edit", "")
    # Ten digits at most: the column holds no more.
    if not (given.isascii() and given.isdecimal() and len(given) <= len("2147483647")):
        return None
    for todo in found.todos:
        if todo.id == int(given):
            return Edited(todo.id, todo.task)
    task = operations.is_storable(int(given)) and database.scalar(select(Todo.task).where(Todo.id == int(given)))
    return Edited(int(given), task) if task else None


def page_of(form: TodoForm, message: str) -> str:
    """Return the page that this form is on, with what was submitted and the message."""
    if isinstance(form, FeatureForm) and request.view_args:
        return todo_page(request.view_args["todo_id"], form, message)
    return todo_list(form, message)


def tell_cleared(outcome: ClearedData) -> None:
    """Tell on the next page what has become of the completed todos."""
    flash(cleared(outcome), "info")


def cleared(outcome: ClearedData) -> str:
    """Return in words what has become of the completed todos."""
    kept = len(outcome.kept)
    if not kept:
        return "The completed todos are deleted."
    which = "one is" if kept == 1 else f"{kept} are"
    return f"The completed todos are deleted, but not all: {which} kept, with a bounty that is being paid, or was."


def gone(reason: str) -> str:
    """Return a page that says so, with the task that was typed for it, as a new todo."""
    typed = AddForm(formdata=MultiDict({"task": request.form["task"]}))
    return render_template("error.html", status=404, title="Not Found", detail=reason, **for_forms(typed))


def what_was_saved() -> str:
    """Say, where a form meets a database that fails, whether it was saved; nothing where no form was submitted."""
    if request.method != "POST":
        return ""
    # The answer to a COMMIT may be lost, and a feature has several.
    if committing():
        return " It is unknown whether this was saved. Please look at the list before you submit it again."
    return " Nothing was saved."


def retry_later(detail: str, *, keep_request_id: bool) -> str:
    """Return a page without the list. What was submitted, if anything, is ready to be submitted again."""
    form = form_of(request.endpoint, MultiDict(request.form)) if request.form else None
    if form and not keep_request_id:
        form.request_id.data = new_request_id()
    return render_template("unavailable.html", detail=detail, **for_forms(form))
