"""Takes a new version of the service into use, without losing a call: the old version finishes what it has begun.

Restate sends a call to the version that began it, at that one's address. So a new version has an address of its own:
it is registered, takes the new calls, and the old one is forgotten when no call needs it any more.
"""

import logging

import requests
import tenacity

from flask_todo_restate.register import REQUEST_TIMEOUT_SECONDS, register
from flask_todo_restate.settings import DeploymentSettings
from todo_shared.settings import load

SERVICE = "TodoService"
POLL_SECONDS = 0.5

log = logging.getLogger("deploy")


class UnfinishedError(SystemExit):
    """Old versions still have calls. Left alone it ends the program with its message."""


def deploy(settings: DeploymentSettings) -> list[str]:
    """Register the endpoint, wait until older ones have finished, forget them, and return their addresses.

    May be repeated after any error.

    Raises:
        RegistrationError: the new endpoint could not be registered; nothing has changed.
        UnfinishedError: older endpoints have calls still. They must go on running.

    """
    new = register(settings)
    admin = settings.restate_admin_url.rstrip("/")
    old = {one["id"]: one["uri"] for one in _deployments(admin) if one["id"] != new}
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_result(bool) | tenacity.retry_if_exception_type(requests.RequestException),
        wait=tenacity.wait_fixed(POLL_SECONDS),
        stop=tenacity.stop_after_delay(settings.restate_drain_timeout_seconds),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else 0,
    )
    for deployment, address in old.items():
        log.info("waiting until the calls that began at %s are finished", address)
        if left := waiting(_unfinished, admin, deployment):
            raise UnfinishedError(f"{left} calls that began at {address} are not finished: it must go on running.")
        requests.delete(
            # Restate asks for force, and does not look itself whether the deployment is in use.
            f"{admin}/deployments/{deployment}?force=true",
            timeout=REQUEST_TIMEOUT_SECONDS,
        ).raise_for_status()
        log.info("%s has finished and is forgotten", address)
    return list(old.values())


def _deployments(admin: str) -> list[dict[str, str]]:
    """Return the registered endpoints of the service."""
    response = requests.get(f"{admin}/deployments", timeout=REQUEST_TIMEOUT_SECONDS)
    response.raise_for_status()
    return [
        one for one in response.json()["deployments"] if SERVICE in (service["name"] for service in one["services"])
    ]


def _unfinished(admin: str, deployment: str) -> int:
    """Return how many calls will come back to this endpoint."""
    response = requests.post(
        f"{admin}/query",
        json={"query": "SELECT pinned_deployment_id AS id FROM sys_invocation WHERE status <> 'completed'"},
        headers={"accept": "application/json"},
        timeout=REQUEST_TIMEOUT_SECONDS,
    )
    response.raise_for_status()
    return sum(row.get("id") == deployment for row in response.json()["rows"])


def main() -> None:
    """Deploy with settings from the environment."""
    logging.basicConfig(level="INFO", format="%(levelname)s %(name)s: %(message)s")
    settings = load(DeploymentSettings)
    deploy(settings)
    log.info("%s is in use", settings.restate_service_url)


if __name__ == "__main__":
    main()
