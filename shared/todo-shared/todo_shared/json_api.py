"""Reads and writes the API's JSON."""

import re
import uuid
from typing import TypeVar

from flask import jsonify, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from werkzeug.exceptions import BadRequest, UnprocessableEntity, UnsupportedMediaType

from todo_shared.models import Todo
from todo_shared.schemas import TodoData, TodoJson

Body = TypeVar("Body", bound=BaseModel)

KEY_PATTERN = re.compile(r"[\x21-\x7e]{1,255}")


def read_body(kind: type[Body]) -> Body:
    """Return the body of this request.

    Raises:
        UnsupportedMediaType: it is not declared as JSON. A form on another site cannot declare that.
        BadRequest: it is not JSON.
        UnprocessableEntity: it is JSON, but not what is expected; the description names the wrong members.

    """
    if not request.is_json:
        raise UnsupportedMediaType("Send application/json.")
    try:
        # Not by model_validate_json, which lets NaN pass in members that the model does not have.
        data = from_json(request.get_data(), allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"Invalid JSON: {error}") from None
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_context=False, include_input=False)
    raise UnprocessableEntity(
        " ".join(
            f"{'.'.join(map(str, m['loc'])) or 'body'}: {m['msg'].removeprefix('Value error, ')}" for m in mistakes
        )
    )


def read_idempotency_key() -> str:
    """Return the request's Idempotency-Key, or a new one if the client sent none.

    Raises:
        BadRequest: it is not 1 to 255 visible ASCII characters.

    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return str(uuid.uuid4())
    if not KEY_PATTERN.fullmatch(key):
        raise BadRequest("An Idempotency-Key must have 1 to 255 visible ASCII characters.")
    return key


def as_json(todo: Todo | TodoData) -> TodoJson:
    """Return a todo as the Todo-Backend contract describes it."""
    return {
        "id": todo.id,
        "title": todo.task,
        "completed": todo.completed,
        "order": todo.order,
        "url": url_for("api.read_todo", todo_id=todo.id, _external=True),
    }


def created(todo: TodoData) -> ResponseReturnValue:
    """Return the answer to a POST that added this todo."""
    body = as_json(todo)
    return jsonify(body), 201, {"Location": body["url"]}
