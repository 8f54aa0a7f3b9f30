"""What goes wrong when a receiver is told so, for whom, and for how long; what a key is worth."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.outside_world.test_receivers import booking, mail, payment
from tests.support.outside_world import OutsideWorld
from tests.support.waiting import until
from todo_stack.process import Server

PATHS: dict[str, tuple[str, Callable[[str], object]]] = {
    "payments": ("/payments", payment),
    "calendar": ("/calendar/events", booking),
    "rooms": ("/rooms/green/bookings", booking),
    "mail": ("/mail", mail),
    "hooks": ("/hooks/plain", payment),
}

receivers = pytest.mark.parametrize("receiver", PATHS)


def ask(world: OutsideWorld, receiver: str, reference: str, key: str | None = None) -> requests.Response:
    """Ask a receiver for what it does."""
    path, make = PATHS[receiver]
    if receiver == "rooms":
        path = f"/rooms/{reference.replace('/', '-')}/bookings"
    return world.ask("POST", path, make(reference), key)


@receivers
def test_key(world: OutsideWorld, mine: str, receiver: str) -> None:
    """A repeat with the same key gets the first answer; nothing is done again. Another body with it is refused."""
    answers = [ask(world, receiver, mine, key=mine) for _ in range(3)]
    assert answers[0].ok
    assert len({(answer.status_code, answer.text) for answer in answers}) == 1
    assert ask(world, receiver, f"{mine}/other", key=mine).status_code == 422
    assert len(world.effects(receiver, reference=mine)) == 1
    assert [one["replayed"] for one in world.requests(receiver, key=mine)] == [False, True, True, False]
    # Each receiver has its own keys.
    other = "mail" if receiver != "mail" else "hooks"
    assert ask(world, other, mine, key=mine).ok


@pytest.mark.parametrize("receiver", ["payments", "calendar", "mail", "hooks"])
def test_without_a_key(world: OutsideWorld, mine: str, receiver: str) -> None:
    """Without a key, and where keys are ignored, a repeat is done again."""
    assert all(ask(world, receiver, mine).ok for _ in range(2))
    assert len(world.effects(receiver, reference=mine)) == 2
    assert ask(world, receiver, mine, key=mine).ok
    with world.told(receiver, "ignore_keys", reference=mine):
        assert all(ask(world, receiver, mine, key=mine).ok for _ in range(2))
    assert ask(world, receiver, mine, key=mine).ok
    assert len(world.effects(receiver, reference=mine)) == 5


def test_key_at_the_same_time(world: OutsideWorld, mine: str) -> None:
    """Twenty that ask with one key at the same time get one answer, for one effect."""
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ask(world, "payments", mine, key=mine), range(20)))
    assert len({answer.text for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {201}
    assert len(world.effects("payments", reference=mine)) == 1


@receivers
def test_error_and_busy(world: OutsideWorld, mine: str, receiver: str) -> None:
    """A 500 and a 429 with Retry-After have done nothing, so that their key succeeds later; a count ends by itself."""
    world.set_mode(receiver, "busy", retry_after=7, count=1, reference=mine)
    busy = ask(world, receiver, mine, key=mine)
    assert (busy.status_code, busy.headers["Retry-After"]) == (429, "7")
    world.set_mode(receiver, "error", count=2, reference=mine)
    assert [ask(world, receiver, mine, key=mine).status_code for _ in range(2)] == [500, 500]
    assert world.effects(receiver, reference=mine) == []
    assert ask(world, receiver, mine, key=mine).ok
    assert len(world.effects(receiver, reference=mine)) == 1
    assert [one["mode"] for one in world.requests(receiver, key=mine)] == [None, "error", "error", "busy"]


@receivers
def test_reject(world: OutsideWorld, mine: str, receiver: str) -> None:
    """A refusal for good is the answer to its key for ever; a new key may do better."""
    status = 402 if receiver == "payments" else 409
    with world.told(receiver, "reject", reference=mine):
        refused = ask(world, receiver, mine, key=mine)
        assert (refused.status_code, refused.json()["status"]) == (status, status)
    assert ask(world, receiver, mine, key=mine).text == refused.text
    assert world.effects(receiver, reference=mine) == []
    assert ask(world, receiver, mine, key=f"{mine}/2").ok
    with world.told(receiver, "reject", reference=mine, status=403):
        assert ask(world, receiver, mine).status_code == 403


@receivers
def test_drop(world: OutsideWorld, mine: str, receiver: str) -> None:
    """It does its work and drops the connection; a repeat with the key gets the answer that was lost."""
    with world.told(receiver, "drop", reference=mine), pytest.raises(requests.ConnectionError):
        ask(world, receiver, mine, key=mine)
    assert len(world.effects(receiver, reference=mine)) == 1
    repeated = ask(world, receiver, mine, key=mine)
    assert repeated.ok
    assert repeated.headers["Idempotent-Replayed"] == "true"
    assert len(world.effects(receiver, reference=mine)) == 1


def test_slow(world: OutsideWorld, mine: str) -> None:
    """A slow answer is waited for, its request is known meanwhile, and others are not held up."""
    world.set_mode("mail", "slow", seconds_each=0.5, count=1, reference=mine)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, world, "mail", mine)
        (waiting,) = until(lambda: world.requests("mail", reference=mine), "the request is known")
        assert (waiting["status"], waiting["mode"]) == (None, "slow")
        assert ask(world, "mail", "plain/other").ok
        assert not asked.done()
        assert asked.result().ok
    assert time.monotonic() - began >= 0.5
    assert world.requests("mail", reference=mine)[0]["status"] == 202


def test_only_what_is_meant(world: OutsideWorld, mine: str) -> None:
    """A mode is for the requests that its filters name, and only these count; modes of two twins stand side by side."""
    twin = mine.replace("plain", "restate")
    world.set_mode("payments", "error", reference=mine, path="/payments/*/refund", method="POST")
    world.set_mode("payments", "busy", reference=twin, count=1)
    paid = ask(world, "payments", mine)
    assert paid.status_code == 201
    assert ask(world, "payments", f"{mine}0").status_code == 201
    assert world.ask("GET", f"/payments/{paid.json()['id']}").status_code == 200
    assert world.ask("POST", f"/payments/{paid.json()['id']}/refund").status_code == 500
    assert [ask(world, "payments", f"{twin}/pay").status_code for _ in range(2)] == [429, 201]
    shown = world.ask("GET", "/control/payments").json()["modes"]
    assert [mode["order"]["reference"] for mode in shown if mode["order"]["reference"] in (mine, twin)] == [mine]
    # The same filters: in its place.
    with world.told("payments", "reject", reference=mine, path="/payments/*/refund", method="POST"):
        assert world.ask("POST", f"/payments/{paid.json()['id']}/refund").status_code == 402
    assert world.ask("POST", f"/payments/{paid.json()['id']}/refund").status_code == 200


def test_for_some_time(world: OutsideWorld, mine: str) -> None:
    """A mode with a duration ends by itself."""
    world.set_mode("mail", "error", seconds=0.5, reference=mine)
    assert ask(world, "mail", mine).status_code == 500
    until(lambda: ask(world, "mail", mine).ok, "the mode is over", 5)


@pytest.mark.parametrize(
    ("order", "word"),
    [
        ({}, "mode"),
        ({"mode": "explode"}, "mode"),
        ({"mode": "slow", "seconds_each": 0}, "seconds_each"),
        ({"mode": "slow", "seconds_each": 61}, "seconds_each"),
        ({"mode": "slow", "retry_after": 1}, "retry_after belongs to mode busy"),
        ({"mode": "reject", "status": 500}, "status"),
        ({"mode": "error", "count": 0}, "count"),
        ({"mode": "error", "count": "1"}, "count"),
        ({"mode": "error", "seconds": -1}, "seconds"),
        ({"mode": "error", "method": "get"}, "method"),
        ({"mode": "error", "for": "ever"}, "for"),
        ([], "body"),
    ],
)
def test_wrong_mode(world: OutsideWorld, order: object, word: str) -> None:
    """An order that makes no sense is refused, with the word that is wrong."""
    answer = world.ask("PUT", "/control/payments", order)
    assert answer.status_code == 400
    assert word in answer.json()["detail"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_unknown_receiver(world: OutsideWorld, method: str) -> None:
    """There are only five."""
    answer = world.ask(method, "/control/nobody", {"mode": "error"})
    assert (answer.status_code, answer.json()["detail"][:14]) == (404, "There are only")


def test_killed(world: OutsideWorld, server: Server, mine: str) -> None:
    """SIGKILL and a new start lose nothing: not what was asked and done, no key, and no mode with its count."""
    world.set_mode("hooks", "error", count=2, reference=mine)
    world.set_mode("mail", "slow", seconds_each=60, count=1, reference=mine)
    first = ask(world, "payments", mine, key=mine)
    assert ask(world, "hooks", mine).status_code == 500
    with ThreadPoolExecutor(1) as pool:
        never = pool.submit(ask, world, "mail", mine)
        until(lambda: world.requests("mail", reference=mine), "the slow request is known")
        server.kill()
        assert isinstance(never.exception(), requests.ConnectionError)
    server.start()
    assert ask(world, "payments", mine, key=mine).text == first.text
    assert [effect["what"] for effect in world.effects(reference=mine)] == ["paid"]
    assert [ask(world, "hooks", mine).status_code for _ in range(2)] == [500, 204]
    (unanswered,) = world.requests("mail", reference=mine)
    assert (unanswered["status"], unanswered["mode"]) == (None, "slow")
