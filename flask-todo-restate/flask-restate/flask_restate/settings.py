"""Settings of the service endpoint, read from the environment. A setting's name is its field's name in upper case."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from flask_restate.identity import check_public_key


class EndpointSettings(BaseSettings):
    """Where and how the endpoint serves."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address to listen on. Only containers need another one."""

    restate_service_port: int = Field(default=9080, ge=1, le=65535)

    restate_service_socket: str = Field(default="", pattern=r"^(fd://\d+)?$")
    """A listening socket that whoever starts several endpoints hands down to each, such as fd://5, instead of a port:
    they share it, and one that is dead or frozen accepts nothing."""

    restate_service_workers: int = Field(default=1, ge=1, le=64)
    """Number of processes. Restate keeps few connections, and each stays with the process that accepted it."""

    restate_identity_key: Annotated[str, AfterValidator(check_public_key)]
    """The Restate server's public key. Requests that it has not signed are refused. `python -m flask_restate identity`
    creates the pair."""

    ledger_retention_days: float = Field(default=7, ge=2)
    """How long a row stays in the ledger. Restate forgets a call a day after it completed. The other days are for a
    server that was down, for a form that is submitted again, and for an operator's "restart as new"."""


class RetrySettings(BaseSettings):
    """How Restate retries a step that failed."""

    retry_initial_interval_seconds: float = Field(default=0.05, gt=0)
    """A dropped connection is a short problem, so the first retry comes soon."""

    retry_max_interval_seconds: float = Field(default=0.5, gt=0)
    """How long it may take to notice that an outage is over. With this value, everything that waited is done within a
    second; with Restate's own default of a minute, people would have to wait."""

    step_inactivity_timeout_seconds: float = Field(default=20, gt=0)
    """When an endpoint has sent nothing for this long, Restate asks it to suspend the call: it may be frozen, or the
    network cut. A step that waits for a connection and then for a silent database takes less time."""

    step_abort_timeout_seconds: float = Field(default=10, gt=0)
    """If the endpoint still does not answer for this long, Restate runs the call again elsewhere, which the ledger
    makes safe. Restate's own default of ten minutes suits handlers that compute for a long time."""
