"""Registers a service endpoint with Restate, and switches to a new version without losing a call.

Restate finishes a call on the version that started it, at that version's address. So a new version needs its own
address: it is registered and takes the new calls, and the old one is removed when no call needs it any more.
"""

import logging
from typing import Any

import requests
import tenacity

log = logging.getLogger(__name__)


class DeploymentError(SystemExit):
    """The deployment failed. If nothing catches this, it ends the program with its message."""


def register(admin_url: str, service_url: str, *, force: bool, timeout: float) -> dict[str, Any]:
    """Register the endpoint and return Restate's description of the deployment. Repeating this changes nothing.

    `force` replaces what is registered at the same address. It is for development: calls in flight continue with the
    new code. In production, a new version gets a new address instead.

    Raises DeploymentError: one of the servers did not answer within the time-out, in seconds, or Restate refused.
    """
    admin_url = admin_url.rstrip("/")
    retry = tenacity.Retrying(
        # A service endpoint that is not up yet is an error 500 of the Restate server.
        retry=tenacity.retry_if_exception(
            lambda error: (
                isinstance(error, requests.RequestException)
                and not isinstance(error, ValueError)
                and (error.response is None or error.response.status_code >= 500)
            )
        ),
        wait=tenacity.wait_exponential(multiplier=0.1, max=1),
        stop=tenacity.stop_after_delay(timeout),
        reraise=True,
    )
    try:
        response = retry(_ask, "POST", f"{admin_url}/deployments", json={"uri": service_url, "force": force})
    except requests.HTTPError as error:
        raise DeploymentError(f"Restate did not register the service: {error.response.text[:500]}") from None
    except requests.RequestException:
        raise DeploymentError(f"Restate's admin API cannot be reached at {admin_url}.") from None
    return dict(response.json())


def deploy(admin_url: str, service_url: str, *, timeout: float, drain_timeout: float) -> list[str]:
    """Register the endpoint, wait until older ones have finished, remove them, and return their addresses.

    It is safe to repeat this after any error. Raises DeploymentError: the new endpoint could not be registered, and
    nothing has changed; or an older endpoint still has calls after `drain_timeout`, and must keep running.
    """
    admin_url = admin_url.rstrip("/")
    new = register(admin_url, service_url, force=False, timeout=timeout)
    services = {service["name"] for service in new["services"]}
    registered = _ask("GET", f"{admin_url}/deployments").json()["deployments"]
    known = [one for one in registered if services & {service["name"] for service in one["services"]}]
    if max(known, key=lambda one: str(one["created_at"]))["id"] != new["id"]:
        raise DeploymentError(f"{service_url} was registered before newer ones: a new version needs a new address.")
    old = {one["id"]: one["uri"] for one in known if one["id"] != new["id"]}
    drained = tenacity.Retrying(
        retry=tenacity.retry_if_result(bool) | tenacity.retry_if_exception_type(requests.RequestException),
        wait=tenacity.wait_fixed(0.5),
        stop=tenacity.stop_after_delay(drain_timeout),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else 0,
    )
    for deployment, address in old.items():
        log.info("waiting for the calls that started at %s to finish", address)
        if left := drained(_unfinished, admin_url, deployment):
            raise DeploymentError(f"{left} calls that started at {address} have not finished: keep it running.")
        # Restate insists on force, and does not check whether the deployment is in use.
        _ask("DELETE", f"{admin_url}/deployments/{deployment}?force=true")
        log.info("%s has finished and was removed", address)
    return list(old.values())


def _unfinished(admin_url: str, deployment: str) -> int:
    """Return how many calls have started at this endpoint and not finished."""
    query = "SELECT pinned_deployment_id AS id FROM sys_invocation WHERE status <> 'completed'"
    rows = _ask("POST", f"{admin_url}/query", json={"query": query}).json()["rows"]
    return sum(row.get("id") == deployment for row in rows)


def _ask(method: str, url: str, json: object = None) -> requests.Response:
    with requests.Session() as session:
        # Proxies that are set in the shell are for the internet.
        session.trust_env = False
        headers = {"accept": "application/json"}
        response = session.request(method, url, json=json, headers=headers, timeout=10)
    response.raise_for_status()
    return response
