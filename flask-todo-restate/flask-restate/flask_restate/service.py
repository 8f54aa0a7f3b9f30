"""A Restate service that neither drops a call nor repeats one without end for nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import cast

import restate
from restate.extensions import current_context
from restate.server_context import DisconnectedException, ServerInvocationContext

from flask_restate.errors import translate
from flask_restate.settings import RetrySettings

PARSE_ERROR = "Unable to parse an input argument."
"""How the SDK's message begins when a message has not the handler's type."""


def durable_service(name: str, retries: RetrySettings | None = None) -> restate.Service:
    """Return a service of the SDK; its handlers are added as always, with `@service.handler()`.

    Each handler takes a message, a pydantic model. A call without one, or with one that cannot be parsed, ends with
    400. Other errors are treated as the table in flask_restate.errors says.
    """
    retries = retries or RetrySettings()
    return restate.Service(
        name,
        inactivity_timeout=timedelta(seconds=retries.step_inactivity_timeout_seconds),
        abort_timeout=timedelta(seconds=retries.step_abort_timeout_seconds),
        invocation_retry_policy=restate.InvocationRetryPolicy(
            initial_interval=timedelta(seconds=retries.retry_initial_interval_seconds),
            exponentiation_factor=2,
            max_interval=timedelta(seconds=retries.retry_max_interval_seconds),
            max_attempts=retries.retry_max_attempts,
        ),
        invocation_context_managers=[_answers],
    )


@asynccontextmanager
async def _answers() -> AsyncIterator[None]:
    """Check a call's message, and translate what its handler raises."""
    context = cast(ServerInvocationContext, current_context())
    if context.handler.arity > 1 and not context.request().body:
        # The SDK would hand None to the handler.
        raise restate.TerminalError("A JSON message is needed.", status_code=400)
    try:
        yield
    except restate.TerminalError as error:
        if error.message.startswith(PARSE_ERROR):
            # The SDK says 500 to it.
            raise restate.TerminalError("The message has not the form that is needed.", status_code=400) from error
        raise
    except DisconnectedException:
        raise
    except Exception as error:
        raise translate(error) from None
