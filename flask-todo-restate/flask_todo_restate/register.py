"""Registers the TodoService with Restate, as often as one likes; waits until both sides are there."""

import logging

import requests
import tenacity

from flask_todo_restate.settings import RegistrationSettings
from todo_shared.settings import load

REQUEST_TIMEOUT_SECONDS = 10

log = logging.getLogger("register")


class RegistrationError(SystemExit):
    """The service could not be registered. Left alone it ends the program with its message."""


def register(settings: RegistrationSettings) -> str:
    """Register the service endpoint and return its deployment id; again with the same address is no change.

    Raises:
        RegistrationError: a side was not there in time, or the Restate server refused.

    """
    retry = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(requests.RequestException),
        wait=tenacity.wait_exponential(multiplier=0.1, max=1),
        stop=tenacity.stop_after_delay(settings.restate_register_timeout_seconds),
        reraise=True,
    )
    try:
        return retry(_register_once, settings)
    except requests.HTTPError as error:
        raise RegistrationError(f"Restate did not register the service: {error.response.text[:500]}") from None
    except requests.RequestException:
        raise RegistrationError(f"Restate's admin API cannot be reached at {settings.restate_admin_url}.") from None


def _register_once(settings: RegistrationSettings) -> str:
    response = requests.post(
        f"{settings.restate_admin_url.rstrip('/')}/deployments",
        json={"uri": settings.restate_service_url, "force": settings.restate_register_force},
        timeout=REQUEST_TIMEOUT_SECONDS,
    )
    # An endpoint that is not there yet is an error of the server here, too.
    response.raise_for_status()
    return str(response.json()["id"])


def main() -> None:
    """Register with settings from the environment."""
    logging.basicConfig(level="INFO", format="%(levelname)s %(name)s: %(message)s")
    settings = load(RegistrationSettings)
    log.info("TodoService at %s is deployment %s", settings.restate_service_url, register(settings))


if __name__ == "__main__":
    main()
