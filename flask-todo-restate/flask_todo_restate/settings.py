"""The Restate twin's settings, in addition to those that both twins share."""

from typing import Annotated

from pydantic import AfterValidator, Field

from flask_restate.addresses import check_addresses
from flask_restate.settings import EndpointSettings, RetrySettings
from todo_shared.settings import DatabaseSettings, Settings


class WebSettings(Settings):
    """What the web application reads from the environment."""

    web_threads: int = Field(default=32, ge=1, le=256)
    """Threads in each gunicorn process. The plain twin has fewer. Here, a thread spends nearly all of its time waiting
    for Restate; and the more calls Restate has at once, the more of them it writes to disk together."""

    restate_endpoint: Annotated[str, AfterValidator(check_addresses)] = "http://127.0.0.1:8080"
    """Restate's ingress, which accepts the calls; of a cluster, that of several nodes, separated by commas."""

    restate_admin_url: Annotated[str, AfterValidator(check_addresses)] = "http://127.0.0.1:9070"
    """Where Restate tells which calls are pending: POST /query of its admin API. Nothing else of it is needed.
    Several addresses are separated by commas."""

    dashboard_url: str = Field(default="", pattern="^(https?://.*)?$")
    """Restate's dashboard, as browsers reach it, for links to it; without it there are none."""

    write_budget: float = Field(default=2.0, gt=0, le=60)
    """How many seconds a request waits for its write before it is answered as pending."""


class ServiceSettings(EndpointSettings, DatabaseSettings):  # In this order, it knows where containers keep secrets.
    """What the service endpoint, which Restate calls, reads from the environment."""


class TodoServiceSettings(RetrySettings):
    """How the TodoService retries, and when it gives up."""

    delete_max_duration_seconds: float = Field(default=30, gt=0)
    """How long a delete is tried before its user is told that it failed. This is a duration, because a database takes
    longer to restart than three attempts last at these intervals."""
