"""A service whose handlers raise the error that its message names, for the table of errors.

Run as `python -m tests.suite.failing_service`, with the settings of the Restate twin's service endpoint.
"""

import requests
import restate
import sqlalchemy.exc
from pydantic import BaseModel
from restate.exceptions import RetryableError
from sqlalchemy.orm import Session

from flask_restate import durable_service, serve
from flask_todo_restate.services.database import ledger
from flask_todo_restate.settings import ServiceSettings
from todo_shared.operations import TodoNotFoundError
from todo_shared.settings import load

SQL: tuple[str, dict[str, object], Exception] = ("INSERT", {}, Exception("what the driver says"))

RAISED: dict[str, Exception] = {
    "TodoNotFoundError": TodoNotFoundError(1),
    "IntegrityError": sqlalchemy.exc.IntegrityError(*SQL),
    "DataError": sqlalchemy.exc.DataError(*SQL),
    "OperationalError": sqlalchemy.exc.OperationalError(*SQL),
    "InterfaceError": sqlalchemy.exc.InterfaceError(*SQL),
    "InternalError": sqlalchemy.exc.InternalError(*SQL),
    "TimeoutError of the pool": sqlalchemy.exc.TimeoutError(),
    "ConnectionError": ConnectionRefusedError("refused"),
    "TimeoutError": TimeoutError(),
    "requests.ConnectionError": requests.ConnectionError(),
    "requests.Timeout": requests.ReadTimeout(),
    "RetryableError": RetryableError("come again", retry_after=None),
    "TerminalError": restate.TerminalError("no", status_code=418),
    "ProgrammingError": sqlalchemy.exc.ProgrammingError(*SQL),
    "KeyError": KeyError("a fault of the code"),
    "TypeError": TypeError("a fault of the code"),
    "ValueError": ValueError("what the article raises"),
}
"""The errors that a message can name."""


class Failure(BaseModel):
    """Raise this."""

    name: str


failing_service = durable_service("FailingService")


@failing_service.handler()
async def in_handler(ctx: restate.Context, req: Failure) -> None:
    """Raise it outside of any step."""
    del ctx
    raise RAISED[req.name]


@failing_service.handler()
async def in_step(ctx: restate.Context, req: Failure) -> None:
    """Raise it in a step of the ledger."""

    def fail(session: Session) -> None:
        del session
        raise RAISED[req.name]

    await ctx.run_typed("fail", ledger.once(ctx, fail))


if __name__ == "__main__":
    import flask_todo_restate.services.todo_service  # noqa: F401 - it adds to the table of errors

    settings = load(ServiceSettings)
    serve(restate.app([failing_service], identity_keys=[settings.restate_identity_key]), settings, threads=4)
