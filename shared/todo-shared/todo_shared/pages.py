"""The pages of both twins."""

from flask import render_template, request
from flask_wtf.csrf import generate_csrf
from werkzeug.datastructures import MultiDict

from todo_shared import operations
from todo_shared.forms import AddForm, TodoForm, UpdateForm, new_request_id
from todo_shared.models import db
from todo_shared.validation import TASK_MAX_LENGTH

PAGE_SIZE = 100
ADD_ENDPOINT = "todo_routes.add_todo"
UPDATE_ENDPOINT = "todo_routes.update_todo"


def todo_list(add_form: AddForm | None = None, edited: tuple[int, UpdateForm] | None = None, message: str = "") -> str:
    """Return the page with the list.

    A form that was not accepted is shown as it was submitted, with the message: either the form that adds, or the one
    that edits the todo with this id.
    """
    number = max(1, min(request.args.get("page", 1, type=int), 1_000_000))
    todos = operations.page(db.session, number, PAGE_SIZE)
    # Return the connection to the pool before the page is rendered, which may take a while.
    db.session.commit()
    return render_template(
        "index.html",
        todos=todos[:PAGE_SIZE],
        page=number,
        has_next=len(todos) > PAGE_SIZE,
        add_form=add_form or AddForm(formdata=None),
        edited=edited,
        message=message,
        csrf=generate_csrf(),
        new_request_id=new_request_id,
        task_max_length=TASK_MAX_LENGTH,
    )


def form_again(form: TodoForm, message: str) -> str:
    """Return the page with the list and this form as it was submitted."""
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
