"""The rules for tasks and ids, the same for forms, JSON bodies and the Restate service."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

TASK_MAX_LENGTH = 200

INTEGER_MAX = 2**31 - 1
"""Largest value of PostgreSQL's integer type, which ids and `order` have."""

# Default_Ignorable_Code_Point of Unicode, other spaces and joiners, and letters and signs that are drawn as nothing.
_INVISIBLE = re.compile(
    "[\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufdd0-\ufdef\ufff0-\ufffb\ufffe\uffff\U00013430-\U0001345f\U00016fe4\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff]*"
)

TodoOrder = Annotated[int, Field(ge=-INTEGER_MAX - 1, le=INTEGER_MAX)]


def clean_task(task: str) -> str:
    """Return the task without leading and trailing blanks; raises ValueError as clean_line() does."""
    return clean_line(task, "A task", TASK_MAX_LENGTH)


def clean_line(line: str, what: str, longest: int) -> str:
    """Return the line, which is `what`, without leading and trailing blanks.

    Raises:
        ValueError: it shows nothing, is longer than this, or has characters that cannot be shown or stored.

    """
    # Cc: control characters, including NUL, which PostgreSQL refuses. Cs: halves of surrogate pairs. Zl, Zp: new lines.
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in line):
        raise ValueError(f"{what} may not contain control characters or line breaks.")
    line = line.strip()
    if _INVISIBLE.fullmatch(line):
        raise ValueError(f"{what} may not be blank.")
    if len(line) > longest:
        raise ValueError(f"{what} may have at most {longest} characters, this one has {len(line)}.")
    return line


TaskText = Annotated[
    str, AfterValidator(clean_task), Field(json_schema_extra={"minLength": 1, "maxLength": TASK_MAX_LENGTH})
]
