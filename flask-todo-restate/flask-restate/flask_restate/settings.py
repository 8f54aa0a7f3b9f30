"""Settings of the service endpoint, read from the environment; names are the fields' names in upper case."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from flask_restate.identity import check_public_key


class EndpointSettings(BaseSettings):
    """Where and how the endpoint serves."""

    host: str = "127.0.0.1"
    """Address to listen on. Only a container needs another one."""

    restate_service_port: int = Field(default=9080, ge=1, le=65535)

    restate_service_workers: int = Field(default=1, ge=1, le=64)
    """Processes. Restate keeps few connections, and each stays with the process that has accepted it."""

    restate_identity_key: Annotated[str, AfterValidator(check_public_key)]
    """Public key of the Restate server: requests that it has not signed are refused. `python -m flask_restate identity`
    makes the pair."""

    ledger_retention_days: float = Field(default=7, ge=2)
    """How long a row of the ledger is kept. Restate forgets a call a day after it has completed; the rest is for a
    server that was down meanwhile, for a form that is submitted again, and for an operator's "restart as new"."""


class RetrySettings(BaseSettings):
    """How often Restate runs a step again that has failed."""

    retry_initial_interval_seconds: float = Field(default=0.05, gt=0)
    """A dropped connection is over at once, so the first repeat comes soon."""

    retry_max_interval_seconds: float = Field(default=0.5, gt=0)
    """The longest a finished outage goes unnoticed: with it, everything that waited is done within a second. Restate's
    own default of a minute would leave people waiting."""

    retry_max_attempts: int = Field(default=2**31, ge=1)
    """Never give up: Restate's own default of 70 attempts would be used up within two minutes at this interval
    and leave the call paused until somebody resumes it. 2**31 half seconds are 34 years."""

    step_inactivity_timeout_seconds: float = Field(default=20, gt=0)
    """A service endpoint from which nothing has come for this long is asked to give the call back: it is frozen, or
    the network is cut. A step that waits for a connection and for a silent database takes less. Restate's own default
    is a minute."""

    step_abort_timeout_seconds: float = Field(default=10, gt=0)
    """After this long without it the call is run again elsewhere; the ledger makes that safe. Restate's own default
    of ten minutes suits handlers that compute for long."""
