"""The pages: each form is written to the database and answered with a redirect to the list."""

from flask import Blueprint, redirect
from flask.typing import ResponseReturnValue

from flask_todo import meeting
from flask_todo.features import WRITES
from flask_todo.notification import notify
from todo_shared import operations, pages
from todo_shared.features.routes import add_pages
from todo_shared.forms import AddForm, DeleteForm, UpdateForm
from todo_shared.list_view import back, back_to_new
from todo_shared.models import db

todo_routes = Blueprint("todo_routes", __name__)


@todo_routes.get("/")
def index() -> ResponseReturnValue:
    """Show the list."""
    return pages.todo_list()


@todo_routes.post("/add")
def add_todo() -> ResponseReturnValue:
    """Add a todo."""
    form = AddForm()
    form.accept()
    operations.add(db.session, form.text)
    db.session.commit()
    return redirect(back_to_new())


@todo_routes.post("/update/<int:todo_id>")
def update_todo(todo_id: int) -> ResponseReturnValue:
    """Change a todo."""
    form = UpdateForm()
    form.accept()
    todo = operations.update(db.session, todo_id, form.changes().given())
    db.session.commit()
    notify(todo)
    return redirect(back(todo_id))


@todo_routes.post("/delete/<int:todo_id>")
def delete_todo(todo_id: int) -> ResponseReturnValue:
    """Delete a todo."""
    form = DeleteForm()
    form.accept()
    meeting.delete_todo(todo_id)
    return redirect(back())


@todo_routes.post("/clear")
def clear_completed() -> ResponseReturnValue:
    """Delete the completed todos."""
    form = DeleteForm()
    form.accept()
    pages.tell_cleared(meeting.clear_todos(only_completed=True))
    return redirect(back())


add_pages(todo_routes, WRITES)
