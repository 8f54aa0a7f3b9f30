"""Settings of the Restate twin, beside those that both twins have."""

from pydantic import Field
from pydantic_settings import BaseSettings

from todo_shared.settings import DatabaseSettings, Settings


class WebSettings(Settings):
    """What the web application reads from the environment."""

    web_threads: int = Field(default=32, ge=1, le=256)
    """Threads in each gunicorn process. More than in the plain twin, because here a thread waits for Restate nearly all
    of its time; and the more calls Restate has at once, the more of them it writes to disk together."""

    restate_endpoint: str = Field(default="http://127.0.0.1:8080", pattern="^https?://")
    """Restate's ingress, which takes the calls."""

    write_budget: float = Field(default=2.0, gt=0, le=60)
    """Seconds that a request waits for its write to be done before it is answered as pending."""


class ServiceSettings(DatabaseSettings):
    """What the service endpoint, which Restate calls, reads from the environment."""

    host: str = "127.0.0.1"
    """Address to listen on. Only a container needs another one."""

    restate_service_port: int = Field(default=9080, ge=1, le=65535)

    restate_identity_key: str = Field(pattern="^publickeyv1_[1-9A-HJ-NP-Za-km-z]+$")
    """Public key of the Restate server: requests that it has not signed are refused."""

    ledger_retention_days: float = Field(default=7, ge=2)
    """How long a row of the ledger is kept. Restate forgets a call, and with it any reason to repeat the
    step, a day after it has completed; the rest is for a server that was down meanwhile."""


class RegistrationSettings(BaseSettings):
    """What the registration of the service reads from the environment."""

    restate_admin_url: str = Field(default="http://127.0.0.1:9070", pattern="^https?://")
    restate_service_url: str = Field(default="http://127.0.0.1:9080", pattern="^https?://")
    """Where the Restate server finds the service endpoint."""

    restate_register_force: bool = False
    """Replace what was registered at the same address. For development: calls that are in flight go on with
    the new code, so in production a new version gets a new address instead."""

    restate_register_timeout_seconds: float = Field(default=60, gt=0)
    """How long to wait for the Restate server and the service endpoint."""


class DeploymentSettings(RegistrationSettings):
    """What the deployment of a new version reads from the environment, for the new version."""

    restate_drain_timeout_seconds: float = Field(default=600, gt=0)
    """How long to wait for the calls that the old version has begun. They take as long as the longest outage."""


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

    delete_max_duration_seconds: float = Field(default=30, gt=0)
    """How long a delete is tried before its user is told that it could not be done. A duration, not a number
    of attempts: three of them, at these intervals, are used up before a database has restarted."""
