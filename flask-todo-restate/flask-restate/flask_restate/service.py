"""A Restate service that never drops a call, and does not retry for ever where that cannot help."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar, cast

import restate
from restate import RestateDurableFuture
from restate.exceptions import RetryableError, SdkInternalBaseException
from restate.extensions import current_context
from restate.server_context import DisconnectedException, ServerInvocationContext

from flask_restate import tracing
from flask_restate.errors import translate
from flask_restate.settings import RetrySettings

T = TypeVar("T")

log = logging.getLogger(__name__)


def durable_service(name: str, retries: RetrySettings | None = None) -> restate.Service:
    """Return a service of the SDK; add handlers to it as usual, with `@service.handler()`.

    Each handler takes a message, a pydantic model. A call whose message is missing or cannot be parsed ends with 400.
    The table in flask_restate.errors says what happens after other errors.
    """
    return restate.Service(name, **_options(retries))


def durable_object(name: str, retries: RetrySettings | None = None) -> restate.VirtualObject:
    """Return a virtual object of the SDK, like durable_service: for each key, one call at a time."""
    return restate.VirtualObject(name, **_options(retries))


def durable_workflow(name: str, retries: RetrySettings | None = None) -> restate.Workflow:
    """Return a workflow of the SDK, like durable_service: its main handler runs once for each key."""
    return restate.Workflow(name, **_options(retries))


def _options(retries: RetrySettings | None) -> dict[str, Any]:
    retries = retries or RetrySettings()
    return {
        "inactivity_timeout": timedelta(seconds=retries.step_inactivity_timeout_seconds),
        "abort_timeout": timedelta(seconds=retries.step_abort_timeout_seconds),
        "invocation_retry_policy": restate.InvocationRetryPolicy(
            initial_interval=timedelta(seconds=retries.retry_initial_interval_seconds),
            exponentiation_factor=2,
            max_interval=timedelta(seconds=retries.retry_max_interval_seconds),
            # No limit: the default of 70 would be used up in a minute, and the call stay paused.
            max_attempts=2**31,
        ),
        "invocation_context_managers": [tracing.handler, _answers] if tracing.ON else [_answers],
    }


async def to_its_end(step: RestateDurableFuture[T]) -> T:
    """Wait for a step to its end, also if an operator cancels the call meanwhile, and return its result.

    The SDK would raise at once while the step still runs, and what it does would be done and not recorded.
    """
    completed: list[object] = []
    while not completed:
        # Only a cancel raises here; what the step raises comes when it is awaited itself.
        with suppress(restate.TerminalError):
            completed = [*(await restate.wait_completed(step))[0]]
    return await step


async def unless_stopped(step: RestateDurableFuture[T], stop: RestateDurableFuture[Any]) -> T:
    """Wait for a step, and return its result, but not longer than until `stop` is completed or an operator cancels.

    Then the step may still run, and is not run again: its caller undoes it in a way that also holds for what comes
    later. Raises StoppedError: so it was, and by whom.
    """
    try:
        completed, _ = await restate.wait_completed(step, stop)
    except restate.TerminalError as error:
        raise StoppedError(by_operator=True) from error
    if step in completed:
        return await step
    raise StoppedError(by_operator=False)


class StoppedError(Exception):
    """A step was not waited for any longer."""

    def __init__(self, *, by_operator: bool) -> None:
        super().__init__("stopped by an operator" if by_operator else "stopped")
        self.by_operator = by_operator


@asynccontextmanager
async def _answers() -> AsyncIterator[None]:
    """Check the message of a call, and translate what its handler raises."""
    context = cast(ServerInvocationContext, current_context())
    if context.handler.arity > 1 and not context.request().body:
        # The SDK would pass None to the handler.
        raise restate.TerminalError("A JSON message is needed.", status_code=400)
    target = f"{context.handler.service_tag.name}/{context.handler.name}"
    try:
        yield
        log.info("%s is done", target)
    except restate.TerminalError as error:
        log.info("%s ends with %d: %s", target, error.status_code, error.message)
        if error.message.startswith("Unable to parse an input argument."):
            # The SDK would answer 500.
            raise restate.TerminalError("The message does not have the required form.", status_code=400) from error
        raise
    except Exception as error:
        # These are the SDK's business, also as the cause of another exception.
        theirs = restate.TerminalError | RetryableError | SdkInternalBaseException
        if isinstance(error, DisconnectedException) or isinstance(error.__cause__, theirs):
            raise
        raise translate(error) from None
