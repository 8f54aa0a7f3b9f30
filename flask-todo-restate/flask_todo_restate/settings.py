"""Settings of the Restate twin, beside those that both twins have."""

from pydantic import Field

from flask_restate.settings import EndpointSettings, RetrySettings
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


class ServiceSettings(DatabaseSettings, EndpointSettings):
    """What the service endpoint, which Restate calls, reads from the environment."""


class DeleteSettings(RetrySettings):
    """How often Restate runs a step again that has failed."""

    delete_max_duration_seconds: float = Field(default=30, gt=0)
    """How long a delete is tried before its user is told that it could not be done. A duration, not a number
    of attempts: three of them, at these intervals, are used up before a database has restarted."""
