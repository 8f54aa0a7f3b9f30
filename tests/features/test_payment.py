"""Money: in both twins a bounty is charged once, whatever is clicked twice; they differ in what a crash leaves."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from flask_todo_restate.settings import ServiceSettings
from tests.support.browser import Browser
from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin, new_key
from tests.support.user import new_name
from tests.support.waiting import until

BOUNTY = {"amount": 1250, "currency": "EUR"}

INVALID = [
    {},
    {"amount": 1250},
    {"currency": "EUR"},
    {"amount": 0, "currency": "EUR"},
    {"amount": -1, "currency": "EUR"},
    {"amount": 2**31, "currency": "EUR"},
    {"amount": 12.5, "currency": "EUR"},
    {"amount": "1250", "currency": "EUR"},
    {"amount": True, "currency": "EUR"},
    {"amount": 1250, "currency": "EURO"},
    {"amount": 1250, "currency": "eur"},
    {"amount": 1250, "currency": "ZZZ"},
]
AMOUNTS = {
    "12.50": ("EUR", 1250),
    " 7 ": ("EUR", 700),
    "1250": ("JPY", 1250),
    "1.234": ("KWD", 1234),
    "21474836.47": ("EUR", 2**31 - 1),
}
NO_AMOUNTS = {
    **dict.fromkeys(
        ("", "x", "0", "-1", "NaN", "1.005", "1e9", "1e1", "1_000", "\N{FULLWIDTH DIGIT ONE}", f"1.{'0' * 40}1"), "EUR"
    ),
    "1.5": "JPY",
}


class Todo:
    """A todo with a bounty on it."""

    def __init__(self, twin: RunningTwin, world: OutsideWorldClient, bounty: dict[str, Any] | None = None) -> None:
        """Add it."""
        self.twin, self.world = twin, world
        self.id: int = twin.add(new_name("paid"))["id"]
        assert self.call("PUT", "/bounty", bounty or BOUNTY).status_code == 200

    def call(self, method: str, path: str = "", json: object = None, key: str = "") -> requests.Response:
        """Ask for something of it."""
        return self.twin.call(method, f"/{self.id}{path}", json=json, headers={"Idempotency-Key": key or new_key()})

    def pay(self, key: str = "") -> requests.Response:
        """Pay its bounty."""
        return self.call("POST", "/bounty/payment", key=key)

    def status(self) -> str:
        """Return the state of its latest payment."""
        return str(self.call("GET", "/bounty/payment").json()["status"])

    def charged(self) -> list[str]:
        """Return what the provider did, in its words."""
        return [effect["what"] for effect in self.world.effects_for(self.id, "payments")]

    def recorded(self) -> list[str]:
        """Return the states of its payments in the database, the oldest first."""
        query = "SELECT status FROM payment WHERE todo_id = %s ORDER BY created_at"
        return [status for (status,) in self.twin.rows(query, self.id)]


@pytest.fixture
def todo(twin: RunningTwin, world: OutsideWorldClient) -> Todo:
    """A todo with a bounty."""
    return Todo(twin, world)


def test_bounty(todo: Todo) -> None:
    """A bounty is set, changed and taken off; what is not there is 404."""
    assert todo.call("GET", "/bounty").json() == BOUNTY
    other = {"amount": 1, "currency": "JPY"}
    assert todo.call("PUT", "/bounty", other).json() == todo.call("GET", "/bounty").json() == other
    assert todo.call("DELETE", "/bounty").status_code == 204
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/payment"), ("GET", "/payment")]:
        assert todo.call(method, f"/bounty{path}").status_code == 404
    assert todo.call("POST", "/bounty/refund").status_code == 409
    assert todo.twin.call("PUT", "/2147483647/bounty", json=BOUNTY).status_code == 404


@pytest.mark.parametrize("bounty", INVALID, ids=str)
def test_no_bounty(todo: Todo, bounty: dict[str, object]) -> None:
    """What is no amount of a currency is refused, and the bounty stays."""
    assert todo.call("PUT", "/bounty", bounty).status_code == 422
    assert todo.call("GET", "/bounty").json() == BOUNTY


def test_pay_and_refund(todo: Todo) -> None:
    """A bounty is paid once until it is refunded; then it can be paid again. While it is paid, the todo stays."""
    answer = todo.pay()
    assert answer.status_code == 201
    assert todo.twin.call("GET", answer.headers["location"]).json() == answer.json()
    assert answer.json()["status"] == "paid"
    assert todo.pay().status_code == todo.call("PUT", "/bounty", BOUNTY).status_code == 409
    assert todo.call("DELETE", "/bounty").status_code == todo.call("DELETE").status_code == 409
    assert todo.call("POST", "/bounty/refund").json()["status"] == "refunded"
    assert todo.call("POST", "/bounty/refund").status_code == 409
    assert todo.pay().status_code == 201
    assert todo.charged() == ["paid", "refunded", "paid"]
    assert todo.recorded() == ["refunded", "paid"]
    assert todo.call("POST", "/bounty/refund").status_code == 200
    assert todo.call("DELETE").status_code == 204
    # What was paid stays on record.
    charge = answer.json()["charge"]
    assert todo.twin.rows("SELECT status, todo_id FROM payment WHERE charge = %s", charge) == [("refunded", None)]


def test_clear_keeps_what_is_paid(todo: Todo) -> None:
    """Deleting all todos leaves those that are paid, and names them."""
    todo.pay()
    other = todo.twin.add(new_name("other"))["id"]
    answer = todo.twin.call("DELETE")
    assert answer.status_code == 200
    assert todo.id in answer.json()["kept"]
    assert other not in answer.json()["kept"]
    assert todo.call("GET").status_code == 200
    assert todo.twin.call("GET", f"/{other}").status_code == 404


def test_declined(todo: Todo) -> None:
    """The user is told why a card is declined; trying anew is a new payment."""
    with todo.world.told_for(todo.id, "payments", "reject"):
        refused = todo.pay()
    assert refused.status_code == 402
    assert "told to refuse" in refused.json()["detail"]
    assert todo.status() == "declined"
    assert todo.pay().status_code == 201
    assert todo.charged() == ["paid"]
    assert todo.recorded() == ["declined", "paid"]


def test_page(todo: Todo, browser: Browser) -> None:
    """Everything can be done by forms; what is not accepted comes back as it was typed."""
    page = f"/todos/{todo.id}"

    def shown() -> str:
        (section,) = browser.texts("#bounty", browser.get(page))
        return " ".join(section.split())

    for text, (currency, amount) in AMOUNTS.items():
        done = browser.submit(browser.form(f"{page}/bounty$", browser.get(page)), amount=text, currency=currency)
        assert (done.status_code, done.headers["location"]) == (302, page)
        assert todo.call("GET", "/bounty").json() == {"amount": amount, "currency": currency}
    for text, currency in NO_AMOUNTS.items():
        form = browser.form(f"{page}/bounty$", browser.get(page))
        refused = browser.submit(form, amount=text, currency=currency)
        assert refused.status_code == 400
        again = browser.form(f"{page}/bounty$", refused)
        assert again.fields["amount"] == text
    assert "21474836.47 EUR" in shown()
    paid = browser.submit(browser.form(f"{page}/bounty/payment", browser.get(page)))
    assert paid.headers["location"] == page
    assert "21474836.47 EUR: paid" in shown()
    browser.submit(browser.form(f"{page}/bounty/refund", browser.get(page)))
    assert "refunded" in shown()
    with todo.world.told_for(todo.id, "payments", "reject"):
        declined = browser.submit(browser.form(f"{page}/bounty/payment", browser.get(page)))
    assert declined.status_code == 402
    assert "told to refuse" in browser.texts("[role=alert]", declined)[0]
    assert browser.submit(browser.form(f"{page}/bounty/delete", browser.get(page))).status_code == 302
    assert todo.call("GET", "/bounty").status_code == 404


def test_list_says_what_is_set(todo: Todo, browser: Browser) -> None:
    """The list leads to the todo's page, and says what the todo carries."""

    def said() -> list[str]:
        return browser.texts(f"li:has(#t{todo.id}) .carried")

    assert said() == ["bounty set"]
    todo.pay()
    assert said() == ["bounty paid"]
    todo.call("POST", "/bounty/refund")
    todo.call("PUT", "/reminder", {"in_seconds": 3600})
    assert said() == ["bounty set", "reminder set"]
    assert browser.get(f"/todos/{todo.id}").status_code == 200


def test_provider_that_lets_wait(durable: RunningTwin) -> None:
    """Payments that wait for their provider, more than there are connections, keep no add waiting."""
    world = OutsideWorldClient(durable.stack.outside_world_url(durable.which), durable.which.key)
    todos = [Todo(durable, world) for _ in range(ServiceSettings.model_fields["db_pool_size"].default + 2)]
    with contextlib.ExitStack() as told, ThreadPoolExecutor(len(todos)) as pool:
        for todo in todos:
            told.enter_context(world.told_for(todo.id, "payments", "slow", seconds_each=2, count=1))
        payments = [pool.submit(todo.pay) for todo in todos]
        asked = "the provider is asked for all of them"
        until(lambda: all(world.requests_for(todo.id, "payments") for todo in todos), asked)
        durable.add(new_name("not kept waiting"))
        assert not any(payment.done() for payment in payments)
        assert all(payment.result().ok for payment in payments)
