"""Reads and writes the API's JSON."""

import re
import uuid
from typing import TypeVar

from flask import g, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from werkzeug.exceptions import BadRequest, UnprocessableEntity, UnsupportedMediaType

from todo_shared import operations
from todo_shared.models import Todo, db
from todo_shared.schemas import ClearedData, TodoData, TodoJson
from todo_shared.validation import INTEGER_MAX

Body = TypeVar("Body", bound=BaseModel)

LIST_LIMIT = 1000
"""How many todos one answer has at most: a process has not the memory for any number of them."""

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
        key = str(uuid.uuid4())
    elif not KEY_PATTERN.fullmatch(key):
        raise BadRequest("An Idempotency-Key must have 1 to 255 visible ASCII characters.")
    g.request_id = key
    return key


def listing() -> ResponseReturnValue:
    """Return the answer to a GET of the list: its oldest todos, and a link to those that follow.

    Raises:
        BadRequest: a parameter of the request is not a number.

    """
    after, limit = _number("after", 0, 0, INTEGER_MAX), _number("limit", LIST_LIMIT, 1, LIST_LIMIT)
    todos = operations.listed(db.session, after, limit + 1)
    # Return the connection to the pool before the answer is written, which may take a while.
    db.session.commit()
    answer = jsonify([as_json(todo) for todo in todos[:limit]])
    if len(todos) > limit:
        following = url_for("api.list_todos", after=todos[limit - 1].id, limit=limit, _external=True)
        answer.headers["Link"] = f'<{following}>; rel="next"'
    return answer


def _number(name: str, default: int, least: int, most: int) -> int:
    given = request.args.get(name, str(default))
    if not re.fullmatch("0|[1-9][0-9]{0,9}", given) or not least <= int(given) <= most:
        raise BadRequest(f"{name} must be a number from {least} to {most}.")
    return int(given)


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


def cleared(outcome: ClearedData) -> ResponseReturnValue:
    """Return the answer to a DELETE of the list: empty, or which todos had to be kept."""
    return (jsonify(kept=outcome.kept), 200) if outcome.kept else ("", 204)
