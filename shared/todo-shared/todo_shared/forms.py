"""The HTML forms."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from flask import g, request
from flask_wtf import FlaskForm
from flask_wtf.csrf import generate_csrf
from pydantic import TypeAdapter, ValidationError
from werkzeug.datastructures import MultiDict
from wtforms import Field, HiddenField, StringField
from wtforms.validators import Optional, StopValidation

from todo_shared.schemas import TodoChanges
from todo_shared.validation import TASK_MAX_LENGTH, clean_task

_BOOLEAN = TypeAdapter(bool)
"""Reads the usual ways to write a boolean: true, on, 1, ..."""

TASK_INPUT = {
    # Not maxlength, which counts an emoji twice and silently cuts off what is pasted.
    "pattern": rf"\s*.{{1,{TASK_MAX_LENGTH}}}\s*",
    "title": f"At most {TASK_MAX_LENGTH} characters",
}
"""Attributes of an input for a task, so that browsers apply the server's rule."""


class InvalidFormError(Exception):
    """A form cannot be accepted. The message tells the user why."""

    def __init__(self, form: "TodoForm", message: str) -> None:
        super().__init__(message)
        self.form = form


def new_request_id() -> str:
    """Return an id for one submission of a form."""
    return str(uuid.uuid4())


def _task(_form: FlaskForm, field: Field) -> None:
    try:
        field.data = clean_task(field.data or "")
    except ValueError as error:
        raise StopValidation(str(error)) from None


def _request_id(_form: FlaskForm, field: Field) -> None:
    try:
        canonical = str(uuid.UUID(field.data))
    except ValueError:
        canonical = ""
    # Python also takes other ways to write a UUID, and the digits of other scripts.
    if field.data != canonical:
        # The form is shown again, and may then be submitted.
        field.data = new_request_id()
        raise StopValidation("This form's request id was not valid. Please submit it once more.")


class TodoForm(FlaskForm):
    """A form with an id that identifies its submission."""

    class Meta(FlaskForm.Meta):
        """How it is read."""

        def wrap_formdata(self, form: FlaskForm, formdata: object) -> MultiDict[str, str] | None:
            """Return the fields to read. Flask-WTF would also read files and JSON, of which the values are no texts."""
            del form
            return formdata if formdata is None or isinstance(formdata, MultiDict) else request.form or None

    request_id = HiddenField(default=new_request_id, validators=[Optional(), _request_id])

    @property
    def message(self) -> str:
        """What is wrong with the form, in words for its user."""
        return " ".join(str(error) for errors in self.errors.values() for error in errors)

    def accept(self) -> str:
        """Validate the submission and return its request id.

        Raises:
            InvalidFormError: the submission is not valid.

        """
        if not self.validate():
            raise InvalidFormError(self, self.message)
        g.request_id = self.request_id.data or new_request_id()
        return str(g.request_id)


class AddForm(TodoForm):
    """Add a todo."""

    task = StringField("Task", [_task], render_kw=TASK_INPUT)

    @property
    def text(self) -> str:
        """The task, after the form was accepted."""
        return self.task.data or ""


class UpdateForm(TodoForm):
    """Change a todo's task, or whether it is completed, or both. What is not submitted stays as it is."""

    task = StringField("Task", render_kw=TASK_INPUT)
    completed = StringField("Completed")

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Validate the submitted fields. At least one must have been submitted."""
        valid = super().validate(extra_validators)
        if self.task.raw_data:
            try:
                self.task.data = clean_task(self.task.data or "")
            except ValueError as error:
                self.task.errors = [str(error)]
        if self.completed.raw_data:
            try:
                _BOOLEAN.validate_python(self.completed.data)
            except ValidationError:
                self.completed.errors = ["Completed must be true or false."]
        if not self.task.raw_data and not self.completed.raw_data:
            self.task.errors = ["Please say what to change."]
        return valid and not self.errors

    def changes(self) -> TodoChanges:
        """Return what was submitted."""
        given: dict[str, Any] = {}
        if self.task.raw_data:
            given["task"] = self.task.data
        if self.completed.raw_data:
            given["completed"] = _BOOLEAN.validate_python(self.completed.data)
        return TodoChanges(**given)


class DeleteForm(TodoForm):
    """Delete a todo, or the completed ones."""


def for_forms(refused: TodoForm | None) -> dict[str, object]:
    """Return what templates with forms need: one token and one id for all forms of a page, and one to show again."""
    return {
        "csrf": generate_csrf(),
        "request_id": (refused and refused.request_id.data) or new_request_id(),
        "refused": refused,
        # It comes instead of what was rejected late, if its user tries that again.
        "former": {"instead_of": request.values["instead_of"]} if refused and "instead_of" in request.values else {},
        "new_task": refused.text if isinstance(refused, AddForm) else "",
        "task_input": TASK_INPUT,
    }


_KINDS: dict[str, type[TodoForm]] = {}


def form_at(endpoint: str, kind: type[TodoForm]) -> None:
    """Let this kind of form be what is submitted to an endpoint of the blueprint of the pages."""
    _KINDS[f"todo_routes.{endpoint}"] = kind


def form_of(endpoint: str | None, submitted: MultiDict[str, str]) -> TodoForm | None:
    """Return what was submitted to an endpoint as its form, not validated yet; None if it takes none."""
    kind = _KINDS.get(endpoint or "")
    return kind(formdata=submitted) if kind else None


form_at("add_todo", AddForm)
form_at("update_todo", UpdateForm)
form_at("delete_todo", DeleteForm)
form_at("clear_completed", DeleteForm)
