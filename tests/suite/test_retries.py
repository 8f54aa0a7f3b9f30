"""The Restate twin does not give up a write, however many attempts an outage takes."""

from pathlib import Path

import requests
import tenacity

from tests.support.running_twin import restate_twin
from todo_stack.ports import Ports
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE

RESTATE_GIVES_UP_AFTER = 70
"""Restate's own default: then a call is paused until somebody resumes it."""

# An outage of minutes, as the retry policy sees it: many attempts, only closer to one another.
HURRIED = {"RETRY_INITIAL_INTERVAL_SECONDS": "0.01", "RETRY_MAX_INTERVAL_SECONDS": "0.01"}


def test_more_attempts_than_restate_would_make(tmp_path: Path) -> None:
    """After more failed attempts than Restate's default allows a write is still being tried, and then done once."""
    with Stack([RESTATE], data=tmp_path, ports=Ports.free(), overrides={"restate_app": HURRIED}) as stack:
        twin = restate_twin(stack)
        todo = twin.add("before")
        stack.servers["db"].kill()
        added = twin.call("POST", json={"title": "after all"})
        updated = twin.call("PATCH", todo["url"], {"title": "changed after all"})
        assert [added.status_code, updated.status_code] == [202, 202]

        def fewest_attempts() -> int:
            calls = twin.unfinished()
            assert len(calls) == 2
            assert "paused" not in {call["status"] for call in calls}
            return min(int(call["retry_count"]) for call in calls)

        enough = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda attempts: attempts < 2 * RESTATE_GIVES_UP_AFTER),
            stop=tenacity.stop_after_delay(90),
            wait=tenacity.wait_fixed(0.2),
        )
        enough(fewest_attempts)
        stack.servers["db"].start()
        assert twin.settle() == []
        assert sorted(twin.tasks("")) == ["after all", "changed after all"]


def test_policy_in_force(stack: Stack) -> None:
    """What Restate has registered is a policy that does not end, and that looks again twice a second."""
    service = requests.get(f"{stack.ports.admin_url}/services/TodoService", timeout=10).json()
    assert service["retry_policy"]["max_attempts"] == 2**31
    assert service["retry_policy"]["max_interval"] == "500ms"
