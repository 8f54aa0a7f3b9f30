"""Restate's admin API, as an operator uses it."""

from typing import Any

import requests

TIMEOUT_SECONDS = 30

_UNFINISHED = """
    SELECT id, target, status, retry_count, last_failure_error_code FROM sys_invocation
    WHERE status NOT IN ('completed', 'scheduled')
"""


def query(admin_url: str, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query on Restate's own tables; a column that is null is missing."""
    headers = {"accept": "application/json"}
    rows: list[dict[str, Any]] = _ask("POST", f"{admin_url}/query", {"query": sql}, headers).json()["rows"]
    return rows


def unfinished(admin_url: str) -> list[dict[str, Any]]:
    """Return the calls that are not completed, without those that are not to be made yet."""
    return query(admin_url, _UNFINISHED)


def invocation(admin_url: str, invocation_id: str) -> dict[str, Any]:
    """Return what Restate tells of an invocation; nothing if it knows none."""
    rows = query(admin_url, "SELECT id, status, retry_count, next_retry_at, last_failure FROM sys_invocation")
    return next((row for row in rows if row["id"] == invocation_id), {})


def order(admin_url: str, invocation_id: str, verb: str) -> dict[str, Any]:
    """Cancel, kill, pause, resume, purge or restart-as-new an invocation, and return the answer."""
    answer = _ask("PATCH", f"{admin_url}/invocations/{invocation_id}/{verb}")
    return dict(answer.json()) if answer.content else {}


def give_up(admin_url: str) -> None:
    """Kill all calls that are not completed."""
    for call in unfinished(admin_url):
        order(admin_url, call["id"], "kill")


def deployments(admin_url: str) -> dict[str, str]:
    """Return the address of each registered service endpoint, by the id of its deployment."""
    known = _ask("GET", f"{admin_url}/deployments").json()["deployments"]
    return {deployment["id"]: deployment["uri"].rstrip("/") for deployment in known}


def members(admin_url: str) -> list[int]:
    """Return the numbers of the nodes that keep the metadata of a cluster."""
    return list(_ask("GET", f"{admin_url}/cluster-health").json()["metadata_cluster_health"]["members"])


def forget(admin_url: str, deployment_id: str) -> None:
    """Remove a deployment, also where calls still need it."""
    _ask("DELETE", f"{admin_url}/deployments/{deployment_id}?force=true")


def register(admin_url: str, service_url: str) -> dict[str, Any]:
    """Register a service endpoint and return the deployment."""
    return dict(_ask("POST", f"{admin_url}/deployments", {"uri": service_url}).json())


def _ask(
    method: str, url: str, json: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> requests.Response:
    response = requests.request(method, url, json=json, headers=headers, timeout=TIMEOUT_SECONDS)
    response.raise_for_status()
    return response
