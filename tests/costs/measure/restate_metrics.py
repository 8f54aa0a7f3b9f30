"""What the Restate server counts of itself."""

import re

import requests

TIMEOUT_SECONDS = 30


def metric(node_port: int, name: str) -> float | None:
    """Return the sum of a metric over its labels; None if the server does not tell."""
    text = requests.get(f"http://127.0.0.1:{node_port}/metrics", timeout=TIMEOUT_SECONDS).text
    found = re.findall(rf"^restate_{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, found)) if found else None
