"""A service whose handlers raise the error that its message names, for the table of errors.

Run as `python -m tests.suite.failing_service`, with the settings of the Restate twin's service endpoint.
"""

import requests
import restate
import sqlalchemy.exc
from pydantic import BaseModel
from restate.exceptions import RetryableError
from sqlalchemy.orm import Session

from flask_restate import durable_service, serve, translated
from flask_todo_restate.services.database import ledger
from flask_todo_restate.settings import ServiceSettings
from todo_shared import operations
from todo_shared.features.errors import ConflictError, DeclinedError, NotSetError
from todo_shared.operations import TodoNotFoundError
from todo_shared.schemas import TodoData
from todo_shared.settings import load

SQL: tuple[str, dict[str, object], Exception] = ("INSERT", {}, Exception("what the driver says"))


def answer(status: int) -> requests.Response:
    """Return another server's answer."""
    response = requests.Response()
    response.status_code = status
    return response


RAISED: dict[str, Exception] = {
    "TodoNotFoundError": TodoNotFoundError(1),
    **{kind.__name__: kind("a state that forbids it") for kind in (NotSetError, ConflictError, DeclinedError)},
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
    "requests.ChunkedEncodingError": requests.exceptions.ChunkedEncodingError(),
    "RetryableError": RetryableError("come again", retry_after=None),
    "requests.HTTPError 503": requests.HTTPError("busy", response=answer(503)),
    "requests.HTTPError 408": requests.HTTPError("too slow", response=answer(408)),
    "TerminalError": restate.TerminalError("no", status_code=418),
    "ProgrammingError": sqlalchemy.exc.ProgrammingError(*SQL),
    "KeyError": KeyError("a fault of the code"),
    "TypeError": TypeError("a fault of the code"),
    "ValueError": ValueError("what the article raises"),
    "requests.HTTPError 404": requests.HTTPError("not found", response=answer(404)),
    "ValueError of the driver": ValueError("A string literal cannot contain NUL (0x00) characters."),
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


@failing_service.handler()
async def in_step_without_ledger(ctx: restate.Context, req: Failure) -> None:
    """Raise it in a step of another kind."""

    def fail() -> None:
        raise RAISED[req.name]

    await ctx.run_typed("fail", translated(fail))


@failing_service.handler()
async def add_three(ctx: restate.Context, req: Failure) -> list[str]:
    """Add three todos of this name in three steps, whose functions have the same name."""
    tasks = []
    for number in range(3):

        def db_add(session: Session, number: int = number) -> TodoData:
            return operations.add(session, f"{req.name} {number}")

        tasks.append((await ctx.run_typed(f"db_add {number}", ledger.once(ctx, db_add))).task)
    return tasks


@failing_service.handler()
async def add_and_return_what_cannot_be_journalled(ctx: restate.Context, req: Failure) -> None:
    """Add a todo in a step whose result the SDK cannot write."""

    def db_add(session: Session) -> list[TodoData]:
        return [operations.add(session, req.name)]

    await ctx.run_typed("db_add", ledger.once(ctx, db_add))


if __name__ == "__main__":
    import flask_todo_restate.services.todo_service  # noqa: F401 - it adds to the table of errors

    settings = load(ServiceSettings)
    serve(restate.app([failing_service], identity_keys=[settings.restate_identity_key]), settings, threads=4)
