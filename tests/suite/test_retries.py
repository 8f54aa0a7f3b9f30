"""The Restate twin does not give up a write, however many attempts an outage takes."""

from datetime import UTC, datetime, timedelta

import pytest
import requests
from werkzeug.http import http_date

from flask_restate.errors import retry_after
from tests.support.running_twin import RunningTwin, restate_twin
from tests.support.service_endpoint import endpoint_beside
from tests.support.user import new_name
from tests.support.waiting import until
from todo_stack.stack import Stack

RESTATE_GIVES_UP_AFTER = 70
"""Restate's own default: then a call is paused until somebody resumes it."""

# An outage of minutes, as the retry policy sees it: many attempts, only closer to one another.
HURRIED = {"RETRY_INITIAL_INTERVAL_SECONDS": "0.01", "RETRY_MAX_INTERVAL_SECONDS": "0.01"}


def test_more_attempts_than_restate_would_make(native_stack: Stack) -> None:
    """After more failed attempts than Restate's default allows a write is still being tried, and then done once."""
    twin, database = restate_twin(native_stack), native_stack.servers["db"]
    added, before, changed = new_name("added"), new_name("before"), new_name("changed")
    todo = twin.add(before)

    def fewest_attempts() -> int:
        calls = twin.unfinished()
        assert len(calls) == 2
        assert "paused" not in {call["status"] for call in calls}
        return min(int(call["retry_count"]) for call in calls)

    with endpoint_beside(twin, ["flask_todo_restate.restate_server"], environment=HURRIED):
        database.kill()
        answers = [twin.call("POST", json={"title": added}), twin.call("PATCH", todo["url"], {"title": changed})]
        assert [answer.status_code for answer in answers] == [202, 202]
        until(lambda: fewest_attempts() > RESTATE_GIVES_UP_AFTER, "more attempts than Restate would make", 90)
        database.start()
        assert twin.settle() == []
    assert [twin.tasks(task) for task in (added, before, changed)] == [[added], [], [changed]]


def test_policy_in_force(durable: RunningTwin) -> None:
    """The policy that Restate has registered does not end, and looks again twice a second."""
    service = requests.get(f"{durable.stack.ports.admin_url}/services/TodoService", timeout=10).json()
    assert service["retry_policy"]["max_attempts"] == 2**31
    assert service["retry_policy"]["max_interval"] == "500ms"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 0), ("000000000012", 12), ("9" * 5000, 86_400), ("-1", None), ("soon", None)],
)
def test_retry_after(header: str, seconds: int | None) -> None:
    """How long another server asks to wait is a number of any length, and a day counts as the most."""
    answer = requests.Response()
    answer.headers["Retry-After"] = header
    wait = retry_after(requests.HTTPError(response=answer))
    assert wait == (None if seconds is None else timedelta(seconds=seconds))


def test_retry_at_a_moment() -> None:
    """Another server may also say when: what is over is now, and a day is the most."""
    answer = requests.Response()
    for hours, least, most in ((-1, 0, 0), (1, 3_500, 3_600), (48, 86_400, 86_400)):
        answer.headers["Retry-After"] = http_date(datetime.now(UTC) + timedelta(hours=hours))
        wait = retry_after(requests.HTTPError(response=answer))
        assert wait is not None
        assert least <= wait.total_seconds() <= most
