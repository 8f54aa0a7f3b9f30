"""The rules for tasks and ids, the same for forms, JSON bodies and the Restate service."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

TASK_MAX_LENGTH = 200

INTEGER_MAX = 2**31 - 1
"""Largest value of PostgreSQL's integer type, which ids and `order` have."""

TodoOrder = Annotated[int, Field(ge=-INTEGER_MAX - 1, le=INTEGER_MAX)]


def clean_task(task: str) -> str:
    """Return the task without leading and trailing blanks.

    Raises:
        ValueError: it is blank or longer than TASK_MAX_LENGTH, or has characters that cannot be shown or stored.

    """
    # Cc: control characters, including NUL, which PostgreSQL refuses. Cs: halves of surrogate pairs.
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in task):
        raise ValueError("A task may not contain control characters.")
    task = task.strip()
    if not task:
        raise ValueError("A task may not be blank.")
    if len(task) > TASK_MAX_LENGTH:
        raise ValueError(f"A task may have at most {TASK_MAX_LENGTH} characters, this one has {len(task)}.")
    return task


TaskText = Annotated[str, AfterValidator(clean_task)]
