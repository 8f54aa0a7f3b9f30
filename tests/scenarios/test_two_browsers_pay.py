"""What happens when two browsers pay at once?

No failure is needed to pay twice, as none is to add twice (test_double_click); but a todo has one bounty, and so the
database can help.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faultlab.laboratory import CLIENT, Laboratory
from tests.faultlab.wire.messages import Answer, Sent
from tests.support.browser import Browser
from tests.support.history import Outcome, Verdict
from tests.support.outside_world import OutsideWorldClient
from tests.support.user import prepared, verdict_on


@pytest.fixture
def browsers(lab: Laboratory) -> Iterator[list[Browser]]:
    """Two browsers."""
    browsers = [Browser(lab.twin.url), Browser(lab.twin.url)]
    yield browsers
    for browser in browsers:
        browser.close()


def test_two_browsers_pay(
    lab: Laboratory, world: OutsideWorldClient, browsers: list[Browser], meanwhile: ThreadPoolExecutor
) -> None:
    """In both twins one pays and the other is told: the plain twin, which commits "charging" first, does as well."""
    paying = prepared(lab.twin, "pay")
    assert paying.todo_id
    page = f"/todos/{paying.todo_id}"
    first, second = (browser.form(f"{page}/bounty/payment$", browser.get(page)) for browser in browsers)
    charged = lab.to_outside.hold(Answer("POST /payments", mentioning=paying.todo_id))
    paid = meanwhile.submit(browsers[0].submit, first)
    held = charged.wait()
    arrived = lab.links[CLIENT].watch(Sent("POST", mentioning=first.action))
    paid_again = meanwhile.submit(browsers[1].submit, second)
    arrived.wait()
    held.release()
    paying.record(Outcome.OK, "")

    assert (paid.result().status_code, paid_again.result().status_code) == (302, 409)
    assert len(world.requests_for(paying.todo_id, "payments")) == 1
    assert verdict_on(lab.twin, paying) is Verdict.EXACTLY_ONCE
