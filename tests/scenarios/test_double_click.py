"""What does a double click add?

No failure is needed for a duplicate: two clicks on one button are two requests. Both twins put a request id into the
form; only one of them looks at it.
"""

from concurrent.futures import ThreadPoolExecutor

from tests.faultlab.laboratory import CLIENT, Laboratory
from tests.faultlab.wire.messages import Answer
from tests.support.browser import Browser
from tests.support.user import new_name
from todo_stack.twins import PLAIN, RESTATE

EXPECTED = {
    # Two requests are two todos: it does not use the request id.
    PLAIN: 2,
    # The request id is the idempotency key: the second click joins the first.
    RESTATE: 1,
}


def test_double_click(lab: Laboratory, meanwhile: ThreadPoolExecutor) -> None:
    """The second click comes before the first is answered: two todos in the plain twin, one in the Restate twin."""
    task = new_name("milk")
    browser, second_browser = Browser(lab.twin.url), Browser(lab.twin.url)
    form = browser.form("/add")
    second_browser.session.cookies.update(browser.session.cookies)
    on_its_way = lab.links[CLIENT].hold(Answer("POST /add", mentioning=task))
    first = meanwhile.submit(browser.submit, form, task=task)
    held = on_its_way.wait()
    second = second_browser.submit(form, task=task)
    held.release()

    # The user sees no difference.
    assert [first.result().status_code, second.status_code] == [302, 302]
    assert len(lab.twin.tasks(task)) == EXPECTED[lab.which]
    browser.close()
    second_browser.close()
