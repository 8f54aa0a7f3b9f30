"""Registers a service endpoint with Restate, and switches to a new version without losing a call.

Restate finishes a call on the version that started it, at that version's address. So a new version needs its own
address: it is registered and takes the new calls, and the old one is removed when no call needs it any more. Calls
at an address that is gone are stranded, and would wait for ever: they are moved, or their number and address reported.
"""

import logging
import time
from typing import Any

import requests
import tenacity

from flask_restate.addresses import Addresses, addresses, may_pass, timeout

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10
SPREAD_SECONDS = 3.0
"""How long a node may take to hear of a new deployment; until then it begins calls on the old one."""


class DeploymentError(SystemExit):
    """The deployment failed. If nothing catches this, it ends the program with its message."""


class StrandedError(DeploymentError):
    """Calls wait for an address where no service answers, or new ones would."""

    def __init__(self, waiting: int, address: str) -> None:
        calls = f"calls ({waiting}) wait for" if waiting else "new calls would go to"
        self.what = f"{calls} {address}, where no service answers"
        super().__init__(
            f"{self.what}: start the version there again that was there, or move them to a new one with "
            "python -m flask_restate register --force true (RESTATE_REGISTER_FORCE)"
        )


def register(admin_url: str, service_url: str, *, force: bool, timeout: float) -> dict[str, Any]:
    """Register the endpoint and return Restate's description of the deployment. Repeating this changes nothing.

    `admin_url` is the address of the admin API, or several that are separated by commas: any node's will do.

    `force` replaces what is registered at the same address, and moves calls here that are stranded. It is for
    development: calls in flight continue with the new code. In production, a new version gets a new address instead.

    Raises DeploymentError: one of the servers did not answer within the time-out, in seconds, or Restate refused;
    StrandedError: without `force`, there are stranded calls, or new ones would be, and nothing has changed;
    ValueError: `admin_url` has no address, or one is none.
    """
    admin = addresses(admin_url)
    retry = tenacity.Retrying(
        # A service endpoint that is not up yet is an error 500 of the Restate server.
        retry=tenacity.retry_if_exception(may_pass),
        wait=tenacity.wait_exponential(multiplier=0.1, max=1),
        stop=tenacity.stop_after_delay(timeout),
        reraise=True,
    )
    endpoint = {"uri": service_url, "force": force}
    try:
        new = retry(_ask, admin, "POST", "/deployments", json={**endpoint, "dry_run": True}).json()
        known = _deployments(admin, new)
        address = _address(known, new)
        for old in (one for one in known if one["uri"] != address):
            try:
                # Without force, registering an address again leaves the new calls to the newest.
                _waiting(admin, old, takes_new=bool(address) and not force and old is known[-1])
            except StrandedError as stranded:
                if not force:
                    raise
                log.warning("%s: moved to %s", stranded.what, service_url)
                # Before it is registered: that then replaces this deployment, and does not add one at its address.
                _ask(admin, "PATCH", f"/deployments/{old['id']}", json={"uri": service_url})
        return dict(retry(_ask, admin, "POST", "/deployments", json=endpoint).json())
    except requests.HTTPError as error:
        raise DeploymentError(f"Restate did not register the service: {error.response.text[:500]}") from None
    except requests.RequestException:
        raise DeploymentError(f"Restate's admin API cannot be reached at {admin}.") from None


def deploy(admin_url: str, service_url: str, *, timeout: float, drain_timeout: float) -> list[str]:
    """Register the endpoint, wait until older ones have finished, remove them, and return their addresses.

    It is safe to repeat this after any error. Raises DeploymentError: the new endpoint could not be registered, and
    nothing has changed; or an older endpoint still has calls after `drain_timeout`, and must keep running;
    StrandedError: it has calls, and does not run.
    """
    admin = addresses(admin_url)
    new = register(admin_url, service_url, force=False, timeout=timeout)
    known = _deployments(admin, new)
    address = _address(known, new)
    if not address or known[-1]["uri"] != address:
        raise DeploymentError(f"{service_url} was registered before newer ones: a new version needs a new address.")
    drained = tenacity.Retrying(
        retry=tenacity.retry_if_result(bool) | tenacity.retry_if_exception_type(requests.RequestException),
        wait=tenacity.wait_fixed(0.5),
        stop=tenacity.stop_after_delay(drain_timeout),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else 0,
    )
    old = [one for one in known if one["uri"] != address]
    for one in old:
        log.info("waiting for the calls that started at %s to finish", one["uri"])
        for pause in (0, SPREAD_SECONDS):
            # There is nothing to wait for: no node tells what another one knows, and a call that has begun on the old
            # version is seen a moment later.
            time.sleep(pause)
            if left := drained(_waiting, admin, one):
                raise DeploymentError(f"{left} calls that started at {one['uri']} have not finished: keep it running.")
        # Restate insists on force, and does not check whether the deployment is in use.
        try:
            _ask(admin, "DELETE", f"/deployments/{one['id']}?force=true")
        except requests.HTTPError as error:
            if error.response.status_code != 404:  # Another address has removed it, and its answer was lost.
                raise
        log.info("%s has finished and was removed", one["uri"])
    return [one["uri"] for one in old]


def _deployments(admin: Addresses, new: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the deployments that have a service of the new one, with itself if it is registered; the newest last."""
    services = {service["name"] for service in new["services"]}
    registered = _ask(admin, "GET", "/deployments").json()["deployments"]
    known = [one for one in registered if services & {service["name"] for service in one["services"]}]
    return sorted(known, key=lambda one: str(one["created_at"]))


def _address(known: list[dict[str, Any]], new: dict[str, Any]) -> str:
    """Return the new deployment's address, which moved ones may share; an empty text if it is not registered."""
    return next((str(one["uri"]) for one in known if one["id"] == new["id"]), "")


def _waiting(admin: Addresses, deployment: dict[str, Any], *, takes_new: bool = False) -> int:
    """Return how many calls have started at this deployment and not finished.

    Raises StrandedError: there are such calls, or it takes the new ones, and no service answers there.
    """
    query = "SELECT pinned_deployment_id AS id FROM sys_invocation WHERE status <> 'completed'"
    rows = _ask(admin, "POST", "/query", json={"query": query}).json()["rows"]
    waiting: int = sum(row.get("id") == deployment["id"] for row in rows)
    if waiting or takes_new:
        try:
            # Restate looks, not we: it may be in another network. It tries for some two seconds.
            _ask(admin, "POST", "/deployments", json={"uri": deployment["uri"], "force": True, "dry_run": True})
        except (requests.HTTPError, requests.ReadTimeout):
            raise StrandedError(waiting, deployment["uri"]) from None
    return waiting


def _ask(admin: Addresses, method: str, path: str, json: object = None) -> requests.Response:
    """Ask any node. Doing it twice is doing it once: the first may do it, too, and only its answer be lost."""

    def at(address: str, seconds: float) -> requests.Response:
        with requests.Session() as session:
            # Proxies that are set in the shell are for the internet.
            session.trust_env = False
            headers = {"accept": "application/json"}
            response = session.request(method, address + path, json=json, headers=headers, timeout=timeout(seconds))
        response.raise_for_status()
        return response

    # For each: Restate tries a service that is away for some two seconds before it says so.
    return admin.ask(at, TIMEOUT_SECONDS * len(admin))
