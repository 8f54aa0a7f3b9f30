"""What is said about a todo: by clients of the API, to the TodoService, and back."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from todo_shared.validation import TaskText, TodoOrder


class TodoRequest(BaseModel):
    """Add this todo. Other members are ignored: clients of the Todo-Backend contract send their own."""

    model_config = ConfigDict(strict=True)

    task: TaskText
    order: TodoOrder | None = None


class TodoRequestBody(TodoRequest):
    """Body of POST: the task is called title in the Todo-Backend contract."""

    task: TaskText = Field(validation_alias="title")


class TodoChanges(BaseModel):
    """What to change of a todo: only the members that are there."""

    model_config = ConfigDict(strict=True)

    task: TaskText = ""
    completed: bool = False
    order: TodoOrder | None = None

    def given(self) -> dict[str, Any]:
        """Return the members that are there, by column name."""
        return self.model_dump(include=set(TodoChanges.model_fields), exclude_unset=True)


class TodoChangesBody(TodoChanges):
    """Body of PATCH."""

    task: TaskText = Field(default="", validation_alias="title")


class TodoItemRequest(BaseModel):
    """Do it to the todo with this id."""

    model_config = ConfigDict(strict=True)

    todo_id: int


class TodoUpdateRequest(TodoItemRequest, TodoChanges):
    """Change the todo with this id."""


class ClearRequest(BaseModel):
    """Delete all todos."""


class TodoData(BaseModel):
    """A todo as it was when its operation was done, free of any session."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    task: str
    completed: bool
    order: int | None
