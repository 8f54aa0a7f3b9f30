"""What is said about a todo: by clients of the API, by the Restate service, and back."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from todo_shared.validation import TaskText, TodoOrder


class NewTodo(BaseModel):
    """A todo to add. Other members are ignored: clients of the Todo-Backend contract send their own."""

    model_config = ConfigDict(strict=True)

    task: TaskText
    order: TodoOrder | None = None


class TodoChanges(BaseModel):
    """What to change of a todo: only the members that are there."""

    model_config = ConfigDict(strict=True)

    task: TaskText = ""
    completed: bool = False
    order: TodoOrder | None = None

    def given(self) -> dict[str, Any]:
        """Return the members that are there, by column name."""
        return self.model_dump(include=set(TodoChanges.model_fields), exclude_unset=True)


class NewTodoBody(NewTodo):
    """Body of POST: the task is called title in the Todo-Backend contract."""

    task: TaskText = Field(validation_alias="title")


class TodoChangesBody(TodoChanges):
    """Body of PATCH."""

    task: TaskText = Field(default="", validation_alias="title")


class TodoData(BaseModel):
    """A todo as it was when its operation was done, free of any session."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    task: str
    completed: bool
    order: int | None
