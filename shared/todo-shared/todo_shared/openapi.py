"""The OpenAPI description of the JSON API, made of its routes and of the schemas that they read and write."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.routing import Rule

from todo_shared.features.schemas import (
    BountyBody,
    MeetingBody,
    MeetingData,
    PaymentData,
    ReminderBody,
    ReminderJson,
    WatcherBody,
    WatcherData,
)
from todo_shared.json_api import KEY_PATTERN, LIST_LIMIT
from todo_shared.schemas import (
    ClearedData,
    OperationJson,
    PendingJson,
    Problem,
    TodoChangesBody,
    TodoJson,
    TodoRequestBody,
)
from todo_shared.validation import INTEGER_MAX

JSON, PROBLEM = "application/json", "application/problem+json"
ABOUT = "Todos, by the Todo-Backend contract. Any origin may call this. Errors are problems as in RFC 9457."
TEXT = {"type": "string"}
ADDRESS = {"type": "string", "format": "uri"}
LOCATION = {"Location": {"description": "Where it can be read.", "required": True, "schema": ADDRESS}}
LINK = {"Link": {"description": "If more todos follow, their address, with rel=next.", "schema": TEXT}}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Names this request: where writes are durable, a repetition with the same key is made only once.",
    "schema": {**TEXT, "pattern": f"^{KEY_PATTERN.pattern}$"},
}
PATH_PARAMETERS = {
    "todo_id": {"type": "integer", "minimum": 1, "maximum": INTEGER_MAX},
    "operation_id": {**TEXT, "maxLength": 255},
}
QUERY_PARAMETERS = {
    "after": ("Return only todos with greater ids.", {"type": "integer", "minimum": 0, "maximum": INTEGER_MAX}),
    "limit": ("Return no more than so many.", {"type": "integer", "minimum": 1, "maximum": LIST_LIMIT}),
}


@dataclass(frozen=True)
class Exchange:
    """What an endpoint answers when it succeeds, and the body that it reads."""

    status: int
    answer: Any = None
    """A type that pydantic knows; None if the answer is empty."""
    body: type[BaseModel] | None = None
    query: Sequence[str] = ()
    """The parameters of the query string."""
    or_else: tuple[int, Any] | None = None
    """Another status when it succeeds, and what is answered then."""
    also: Sequence[int] = ()
    """Errors in addition to those that all have."""


EXCHANGES = {
    "list_todos": Exchange(200, list[TodoJson], query=("after", "limit")),
    "add_todo": Exchange(201, TodoJson, TodoRequestBody),
    "clear_todos": Exchange(204, or_else=(200, ClearedData)),
    "read_todo": Exchange(200, TodoJson),
    "update_todo": Exchange(200, TodoJson, TodoChangesBody),
    "delete_todo": Exchange(204),
    "plan_meeting": Exchange(201, MeetingData, MeetingBody),
    "read_meeting": Exchange(200, MeetingData),
    "cancel_meeting": Exchange(204),
    "set_bounty": Exchange(200, BountyBody, BountyBody),
    "read_bounty": Exchange(200, BountyBody),
    "drop_bounty": Exchange(204),
    "pay_bounty": Exchange(201, PaymentData, also=(402,)),
    "read_payment": Exchange(200, PaymentData),
    "refund_bounty": Exchange(200, PaymentData),
    "set_watcher": Exchange(200, WatcherData, WatcherBody),
    "read_watcher": Exchange(200, WatcherData),
    "drop_watcher": Exchange(204),
    "set_reminder": Exchange(200, ReminderJson, ReminderBody),
    "read_reminder": Exchange(200, ReminderJson),
    "cancel_reminder": Exchange(204),
    "read_operation": Exchange(200, OperationJson),
}
"""By the name of the view. An application with a view that is not described does not start."""


class PlainSchema(GenerateJsonSchema):
    """Schemas without titles made from names, and without defaults: a member that is not there is left as it is."""

    def field_title_should_be_set(self, _schema: object) -> bool:
        """Set none."""
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave the default out."""
        return self.generate_inner(schema["schema"])


class Description:
    """Describes the routes of one blueprint; `promises` if its writes may be answered with 202."""

    def __init__(self, app: Flask, api: Blueprint, *, promises: bool) -> None:
        self._app, self._promises = app, promises
        prefix = f"{api.name}."
        rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(prefix)]
        self._rules = [(rule, rule.endpoint.removeprefix(prefix)) for rule in rules]
        exchanges = [EXCHANGES[name] for _, name in self._rules]
        bodies: list[Any] = [exchange.body for exchange in exchanges]
        answers: list[Any] = [exchange.answer for exchange in exchanges]
        answers += [exchange.or_else[1] for exchange in exchanges if exchange.or_else]
        answers += [Problem, *([PendingJson] if promises else [])]
        self._schemas, self._shared = TypeAdapter.json_schemas(
            [(str(kind), "validation", TypeAdapter(kind)) for kind in bodies if kind]
            + [(str(kind), "serialization", TypeAdapter(kind)) for kind in answers if kind],
            ref_template="#/components/schemas/{model}",
            schema_generator=PlainSchema,
        )

    def build(self) -> dict[str, Any]:
        """Return the description."""
        paths: dict[str, Any] = {}
        for rule, name in self._rules:
            (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            paths.setdefault(path, {})[method.lower()] = self._operation(rule, name, reads=method == "GET")
        return {
            "openapi": "3.1.0",
            "info": {"title": self._app.config["TITLE"], "version": "1", "description": ABOUT},
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {"schemas": self._shared["$defs"]},
        }

    def _operation(self, rule: Rule, name: str, *, reads: bool) -> dict[str, Any]:
        exchange = EXCHANGES[name]
        parameters = [
            {"name": argument, "in": "path", "required": True, "schema": PATH_PARAMETERS[argument]}
            for argument in sorted(rule.arguments)
        ]
        parameters += [
            {"name": argument, "in": "query", "description": about, "schema": schema}
            for argument, (about, schema) in QUERY_PARAMETERS.items()
            if argument in exchange.query
        ]
        answers = {exchange.status: self._answer(exchange.status, JSON, exchange.answer)}
        if exchange.or_else:
            status, kind = exchange.or_else
            answers[status] = self._answer(status, JSON, kind)
        if self._promises and not reads:
            answers[202] = self._answer(202, JSON, PendingJson)
        # A body is read, and may be refused, also where none belongs. Writes may be against a rule of the database.
        errors = [
            400,
            *([404] if rule.arguments else []),
            413,
            415,
            *([] if reads else [409, 422, 507]),
            *exchange.also,
            503,
        ]
        answers |= {status: self._answer(status, PROBLEM, Problem) for status in errors}
        described: dict[str, Any] = {
            "operationId": name,
            "summary": (self._app.view_functions[rule.endpoint].__doc__ or "").partition("\n")[0],
            "parameters": parameters if reads else [*parameters, KEY],
            "responses": {str(status): answer for status, answer in sorted(answers.items())},
        }
        if exchange.body:
            content = {JSON: {"schema": self._schemas[str(exchange.body), "validation"]}}
            described["requestBody"] = {"required": True, "content": content}
        return described

    def _answer(self, status: int, media_type: str, kind: object) -> dict[str, Any]:
        answer: dict[str, Any] = {"description": HTTP_STATUS_CODES[status]}
        if status in (201, 202):
            answer["headers"] = LOCATION
        if kind == list[TodoJson]:
            answer["headers"] = LINK
        if kind:
            answer["content"] = {media_type: {"schema": self._schemas[str(kind), "serialization"]}}
        return answer
