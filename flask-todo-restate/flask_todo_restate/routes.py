"""The pages: each form is handed to the TodoService and answered with a redirect to the list."""

from flask import Blueprint, redirect
from flask.typing import ResponseReturnValue

from flask_todo_restate.features import WRITES
from flask_todo_restate.outcomes import restate
from flask_todo_restate.services import todo_service
from flask_todo_restate.waiting import typed_before
from todo_shared import pages
from todo_shared.features.routes import add_pages
from todo_shared.forms import AddForm, DeleteForm, UpdateForm
from todo_shared.list_view import back, back_to_new
from todo_shared.schemas import ClearRequest, TodoItemRequest, TodoRequest, TodoUpdateRequest

todo_routes = Blueprint("todo_routes", __name__)


@todo_routes.get("/")
def index() -> ResponseReturnValue:
    """Show the list."""
    return pages.todo_list()


@todo_routes.post("/add")
def add_todo() -> ResponseReturnValue:
    """Add a todo."""
    form = AddForm()
    request_id = form.accept()
    restate.call(todo_service.add_todo, TodoRequest(task=form.text), request_id)
    return redirect(back_to_new())


@todo_routes.post("/update/<int:todo_id>")
def update_todo(todo_id: int) -> ResponseReturnValue:
    """Change a todo."""
    form = UpdateForm()
    request_id = form.accept()
    restate.call(todo_service.update_todo, TodoUpdateRequest(todo_id=todo_id, **form.changes().given()), request_id)
    return redirect(back(todo_id))


@todo_routes.post("/delete/<int:todo_id>")
def delete_todo(todo_id: int) -> ResponseReturnValue:
    """Delete a todo."""
    form = DeleteForm()
    request_id = form.accept()
    restate.call(todo_service.delete_todo, TodoItemRequest(todo_id=todo_id), request_id)
    return redirect(back())


@todo_routes.post("/clear")
def clear_completed() -> ResponseReturnValue:
    """Delete the completed todos."""
    form = DeleteForm()
    request_id = form.accept()
    pages.tell_cleared(restate.call(todo_service.clear_completed, ClearRequest(), request_id))
    return redirect(back())


add_pages(todo_routes, WRITES, typed_before)
