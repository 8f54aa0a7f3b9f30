"""The pages of both twins."""

import re

from flask import render_template, request
from flask_wtf.csrf import generate_csrf
from werkzeug.datastructures import MultiDict

from todo_shared import operations
from todo_shared.features.carried import carried
from todo_shared.features.forms import FeatureForm
from todo_shared.features.pages import todo_page
from todo_shared.forms import TASK_INPUT, AddForm, TodoForm, UpdateForm, new_request_id
from todo_shared.models import db

PAGE_SIZE = 100
ADD_ENDPOINT = "todo_routes.add_todo"
UPDATE_ENDPOINT = "todo_routes.update_todo"


def todo_list(add_form: AddForm | None = None, edited: tuple[int, UpdateForm] | None = None, message: str = "") -> str:
    """Return the page with the list.

    A form that was not accepted is shown as it was submitted, with the message: either the form that adds, or the one
    that edits the todo with this id.
    """
    number = _page_number()
    todos = operations.page(db.session, number, PAGE_SIZE)
    if number > 1 and not todos:
        number = operations.last_page(db.session, PAGE_SIZE)
        todos = operations.page(db.session, number, PAGE_SIZE)
    words = carried(db.session, [todo.id for todo in todos])
    # Return the connection to the pool before the page is rendered, which may take a while.
    db.session.commit()
    return render_template(
        "index.html",
        todos=todos[:PAGE_SIZE],
        carried=words,
        page=number,
        has_next=len(todos) > PAGE_SIZE,
        add_form=add_form or AddForm(formdata=None),
        edited=edited,
        message=message,
        csrf=generate_csrf(),
        new_request_id=new_request_id,
        task_input=TASK_INPUT,
    )


def _page_number() -> int:
    """Return the number of the page that is asked for; the first if it is none."""
    given = request.args.get("page", "")
    return min(int(given), 1_000_000) if re.fullmatch("[1-9][0-9]*", given) else 1


def form_again(form: TodoForm, message: str) -> str:
    """Return the page with the list and this form as it was submitted."""
    if isinstance(form, FeatureForm) and request.view_args:
        return todo_page(request.view_args["todo_id"], form, message)
    if isinstance(form, AddForm):
        return todo_list(add_form=form, message=message)
    if isinstance(form, UpdateForm) and request.view_args:
        return todo_list(edited=(request.view_args["todo_id"], form), message=message)
    return todo_list(message=message)


def retry_later(detail: str, *, keep_request_id: bool) -> str:
    """Return a page without the list. What was submitted, if anything, is ready to be submitted again."""
    submitted = request.form.to_dict()
    submitted.pop("csrf_token", None)
    if submitted and not keep_request_id:
        submitted["request_id"] = new_request_id()
    adding = request.endpoint == ADD_ENDPOINT
    return render_template(
        "unavailable.html",
        detail=detail,
        add_form=AddForm(formdata=MultiDict(submitted) if adding else None),
        submitted=submitted if request.method == "POST" and not adding else None,
    )
