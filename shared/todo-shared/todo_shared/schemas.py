"""The messages about todos: from API clients, to the TodoService, and back."""

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

# Before Python 3.12, pydantic cannot read the one in typing.
from typing_extensions import TypedDict

from todo_shared.validation import TaskText, TodoOrder

Address = Annotated[str, Field(json_schema_extra={"format": "uri"})]


class TodoRequest(BaseModel):
    """Add this todo. Other members are ignored, because Todo-Backend clients send members of their own."""

    model_config = ConfigDict(strict=True)

    task: TaskText
    order: TodoOrder | None = None


class TodoRequestBody(TodoRequest):
    """A new todo. The Todo-Backend contract calls the task its title."""

    task: TaskText = Field(validation_alias="title")


class TodoChanges(BaseModel):
    """Changes to a todo. Only the members that are present are changed."""

    model_config = ConfigDict(strict=True)

    task: TaskText = ""
    completed: bool = False
    order: TodoOrder | None = None

    def given(self) -> dict[str, Any]:
        """Return the members that are present, by column name."""
        return self.model_dump(include=set(TodoChanges.model_fields), exclude_unset=True)


class TodoChangesBody(TodoChanges):
    """Changes to a todo: what is not there stays as it is."""

    task: TaskText = Field(default="", validation_alias="title")


class TodoItemRequest(BaseModel):
    """Do something with the todo that has this id."""

    model_config = ConfigDict(strict=True)

    todo_id: int


class TodoUpdateRequest(TodoItemRequest, TodoChanges):
    """Change the todo with this id."""

    @model_serializer(mode="wrap")
    def only_what_is_given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the members that are not there."""
        return {name: value for name, value in serialize(self).items() if name in self.model_fields_set}


class ClearRequest(BaseModel):
    """Delete all todos."""


class ClearedData(BaseModel):
    """What was not deleted."""

    kept: list[int]


class TodoData(BaseModel):
    """A todo as it was after its operation, independent of any session."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    task: str
    completed: bool
    order: int | None


class Completion(BaseModel):
    """A todo was completed that somebody watches."""

    url: str
    at: datetime


class UpdatedData(TodoData):
    """A todo after a change."""

    completion: Completion | None = None
    """Set if this change has completed it, and somebody is to be told."""


class TodoJson(TypedDict):
    """A todo as the API shows it."""

    id: int
    title: TaskText
    completed: bool
    order: TodoOrder | None
    url: Address


class Problem(TypedDict):
    """An error, as in RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    retry: NotRequired[str]


class PendingJson(TypedDict):
    """A write that is accepted and not finished yet; its state can be read at the url."""

    id: str
    status: Literal["pending"]
    url: Address


class OperationJson(TypedDict):
    """The state of a write that was answered with 202."""

    id: str
    status: Literal["pending", "done", "rejected", "unknown"]
    result: NotRequired[TodoJson | dict[str, Any] | None]
    reason: NotRequired[str]
