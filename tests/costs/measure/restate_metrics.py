"""What the Restate server counts and remembers."""

import re

import requests

TIMEOUT_SECONDS = 30


def metrics(port: int, name: str) -> float | None:
    """Return the sum of a metric over its labels; None if the server does not tell."""
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT_SECONDS).text
    found = re.findall(rf"^restate_{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, found)) if found else None


def remembered_calls(admin_url: str) -> int:
    """Return how many calls the server keeps, finished ones too."""
    answer = requests.post(
        f"{admin_url}/query",
        json={"query": "SELECT count(*) AS number FROM sys_invocation"},
        headers={"accept": "application/json"},
        timeout=TIMEOUT_SECONDS,
    )
    answer.raise_for_status()
    return int(answer.json()["rows"][0]["number"])
