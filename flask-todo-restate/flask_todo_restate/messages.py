"""What the routes send to the TodoService."""

from pydantic import BaseModel, ConfigDict

from todo_shared.schemas import NewTodo, TodoChanges


class TodoRequest(NewTodo):
    """Add this todo."""


class TodoItemRequest(BaseModel):
    """Do it to the todo with this id."""

    model_config = ConfigDict(strict=True)

    todo_id: int


class TodoUpdateRequest(TodoItemRequest, TodoChanges):
    """Change the todo with this id: the members that are there."""
