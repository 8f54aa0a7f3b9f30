"""Each receiver does what it is asked, refuses what makes no sense, and keeps both."""

import html
import re
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.support.outside_world import TIMEOUT_SECONDS, OutsideWorld
from tests.support.raw_http import CHUNKED, JSON, exchange, request

START = "2026-11-30T10:{:02}:00+01:00"


def payment(reference: str, **other: object) -> dict[str, object]:
    """Return a payment to ask for."""
    return {"amount": 500, "currency": "EUR", "reference": reference, **other}


def booking(reference: str, minute: int = 0, **other: object) -> dict[str, object]:
    """Return a booking of half an hour to ask for."""
    return {"title": "Talk", "start": START.format(minute), "minutes": 30, "reference": reference, **other}


def mail(reference: str, **other: object) -> dict[str, object]:
    """Return a mail to ask for."""
    return {"to": "ann@example.org", "subject": "Hello", "text": "Well,\nhello", "reference": reference, **other}


def done(world: OutsideWorld, reference: str) -> list[tuple[str, str]]:
    """Return what was done, the oldest first, and for whom."""
    return [(effect["what"], effect["subject"]) for effect in reversed(world.effects(reference=reference))]


def test_payment(world: OutsideWorld, mine: str) -> None:
    """Money is taken, is there to be asked for, and is given back once."""
    paid = world.ask("POST", "/payments", payment(mine))
    shown = {**payment(mine), "id": paid.json()["id"], "status": "paid"}
    assert (paid.status_code, paid.json()) == (201, shown)
    address = f"/payments/{shown['id']}"
    assert world.ask("GET", address).json() == shown
    refunded = world.ask("POST", f"{address}/refund", key=mine)
    assert (refunded.status_code, refunded.json()) == (200, {**shown, "status": "refunded"})
    assert world.ask("POST", f"{address}/refund", key=mine).json() == refunded.json()
    assert world.ask("POST", f"{address}/refund").status_code == 409
    assert world.ask("GET", address).json()["status"] == "refunded"
    assert done(world, mine) == [("paid", shown["id"]), ("refunded", shown["id"])]
    assert world.ask("POST", "/payments/pay_none/refund").status_code == 404
    assert world.ask("GET", "/payments/pay_none").status_code == 404


@pytest.mark.parametrize("place", ["/calendar/events", "/rooms/blue-{}/bookings"], ids=["calendar", "rooms"])
def test_booking(world: OutsideWorld, mine: str, place: str) -> None:
    """An id chosen by the caller is booked once, by PUT or POST; cancelled, and cancelled again; then never more."""
    place, one, two = place.format(uuid4().hex), uuid4().hex, uuid4().hex
    asked = [
        ("PUT", one, booking(mine), 201),
        ("PUT", one, booking(mine), 200),
        ("PUT", one, booking(mine, start="2026-11-30T09:00:00Z"), 200),  # The same moment.
        ("PUT", one, booking(mine, minutes=31), 409),
        ("PUT", one, booking(mine, id=two), 400),
        ("POST", "", booking(mine, minute=30, id=two), 201),
        ("POST", "", booking(mine, minute=30, id=two), 200),
        ("DELETE", one, None, 204),
        ("DELETE", one, None, 204),
        ("PUT", one, booking(mine), 409),
    ]
    answers = [world.ask(method, f"{place}/{name}".rstrip("/"), body).status_code for method, name, body, _ in asked]
    assert answers == [status for *_, status in asked]
    assert [what for what, _ in done(world, mine)] == ["booked", "booked", "cancelled"]
    assert {subject.rpartition("/")[2] for _, subject in done(world, mine)} == {one, two}


@pytest.mark.parametrize("place", ["/calendar/events", "/rooms/blue/bookings"], ids=["calendar", "rooms"])
def test_cancelled_before_it_was_booked(world: OutsideWorld, mine: str, place: str) -> None:
    """Cancelling an id that was never booked is kept, and its booking, which was on its way, is refused."""
    name = uuid4().hex
    assert world.ask("DELETE", f"{place}/{name}", reference=mine).status_code == 204
    assert world.ask("DELETE", f"{place}/{name}", reference=mine).status_code == 204
    assert world.ask("PUT", f"{place}/{name}", booking(mine)).status_code == 409
    assert [what for what, _ in done(world, mine)] == ["barred"]


def test_room_is_booked_once(world: OutsideWorld, mine: str) -> None:
    """Bookings of a room must not overlap in time; one may begin when another ends, or be in another room."""
    blue, red = (f"/rooms/{colour}-{uuid4().hex}/bookings" for colour in ("blue", "red"))
    asked = [
        (blue, booking(mine, 10), 201),
        (blue, booking(mine, 0), 409),
        (blue, booking(mine, 39), 409),
        (blue, booking(mine, 15, minutes=5), 409),
        (blue, booking(mine, 40), 201),
        (blue, booking(mine, 0, minutes=10), 201),
        (red, booking(mine, 10), 201),
        ("/calendar/events", booking(mine, 10), 201),
        ("/calendar/events", booking(mine, 10), 201),
    ]
    answers = [world.ask("POST", place, body) for place, body, _ in asked]
    assert [answer.status_code for answer in answers] == [status for *_, status in asked]
    # A room that is given back is free.
    assert world.ask("DELETE", f"{blue}/{answers[0].json()['id']}").status_code == 204
    assert world.ask("POST", blue, booking(mine, 10)).status_code == 201


def test_mail_and_hooks(world: OutsideWorld, mine: str) -> None:
    """A mail and a webhook's call are kept as they were sent."""
    sent = world.ask("POST", "/mail", mail(mine))
    assert sent.status_code == 202
    assert world.effects("mail", reference=mine)[0]["details"] == {"id": sent.json()["id"], **mail(mine)}
    hook, todo = mine.split("/")
    for body in ({"todo": todo, "title": "Milk"}, [1, None], "x", None):
        answer = requests.post(f"{world.url}/hooks/{hook}", json=body or 0, headers={"Reference": mine}, timeout=30)
        assert answer.status_code == 204
    received = world.effects("hooks", reference=mine)
    assert [effect["details"]["body"] for effect in received] == [0, "x", [1, None], {"todo": todo, "title": "Milk"}]


def test_reference(world: OutsideWorld, mine: str) -> None:
    """It comes from the body, else the header, else what the id was booked for; a webhook's from its name and todo."""
    twin, todo = mine.split("/")
    place = f"/calendar/events/{todo}"
    world.ask("PUT", place, booking(f"{mine}/meeting"), reference="not/this")
    world.ask("DELETE", place)
    world.ask("POST", f"/hooks/{twin}", {"todo": todo})
    world.ask("POST", f"/hooks/{twin}", {"todo": todo}, reference=f"{mine}/header")
    world.ask("POST", "/mail", mail(f"{mine}0"))
    references = [effect["reference"] for effect in reversed(world.effects(reference=mine))]
    assert references == [f"{mine}/meeting", f"{mine}/meeting", mine, f"{mine}/header"]
    assert [one["method"] for one in world.requests("calendar", reference=f"{mine}/")] == ["DELETE", "PUT"]


WRONG: list[tuple[str, dict[str, Any]]] = [
    *(("/payments", {"amount": amount}) for amount in (0, -1, 10**12 + 1, 1.0, 1.5, "5", True, None)),
    *(("/payments", {"currency": currency}) for currency in ("eur", "EURO", "", 978)),
    *(("/payments", {"reference": reference}) for reference in ("", "a\nb", "x" * 201, 1)),
    ("/payments", {"more": 1}),
    *(("/calendar/events", {"minutes": minutes}) for minutes in (0, -1, 24 * 60 + 1, "30")),
    *(("/rooms/a/bookings", {"start": start}) for start in ("2026-11-30T10:00:00", "soon", "1999-12-31T23:59:59Z", 0)),
    *(("/rooms/a/bookings", {"id": name}) for name in ("", "a/b", "a\nb")),
    *(("/mail", {"to": to}) for to in ("ann", "ann@", "a b@example.org", "")),
    ("/mail", {"subject": "a\nb"}),
]


@pytest.mark.parametrize(("path", "other"), WRONG)
def test_wrong_body(world: OutsideWorld, mine: str, path: str, other: dict[str, Any]) -> None:
    """What makes no sense is refused in words that name the field; it is kept, and nothing is done."""
    make = {"/payments": payment, "/mail": mail}.get(path, booking)
    answer = world.ask("POST", path, make(mine) | other, key=mine)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert next(iter(other)) in answer.json()["detail"]
    assert world.requests(key=mine)[0]["status"] == 400
    assert world.effects(key=mine) == []


def test_asked_again_in_better_words(world: OutsideWorld, mine: str) -> None:
    """A request that made no sense does not use up its key."""
    assert world.ask("POST", "/payments", payment(mine, amount=0), key=mine).status_code == 400
    assert world.ask("POST", "/payments", payment(mine), key=mine).status_code == 201


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("POST", "/mail", JSON, "Content-Length: 99", body=b'{"to"'), 400),
        (request("POST", "/hooks/raw", JSON, "Content-Length: 9", body=b"12"), 400),
        (request("POST", "/hooks/raw", JSON, CHUNKED, body=b"2\r\n12\r\nnonsense\r\n"), 400),
        (request("POST", "/hooks/raw", JSON, "Content-Length: 4", body=b'"\xff"'), 400),
        (request("POST", "/hooks/raw", JSON, "Content-Length: 8", body=b'"\\ud800"'), 400),
        (request("POST", "/hooks/raw", JSON, "Content-Length: 3", body=b"NaN"), 400),
        (request("POST", "/hooks/raw", JSON, "Content-Length: 0"), 400),
        (request("POST", "/hooks/raw", "Content-Length: 2", body=b"12"), 415),
        (request("POST", "/hooks/raw", JSON, f"Content-Length: {2**17}", body=b"1" * 2**17), 413),
        (request("POST", "/hooks/raw", JSON, CHUNKED, body=b"20000\r\n" + b"1" * 2**17 + b"\r\n0\r\n\r\n"), 413),
        (request("POST", "/hooks", JSON, "Content-Length: 2", body=b"12"), 404),
        (request("POST", "/payments//refund"), 404),
        (request("PATCH", "/payments", JSON, "Content-Length: 2", body=b"{}"), 405),
        (request("POST", "/rooms/%ff/bookings", JSON, "Content-Length: 2", body=b"{}"), 400),
    ],
)
def test_bad_request(world: OutsideWorld, data: bytes, status: int) -> None:
    """What is cut off, malformed, too large or not there is refused in JSON, and kept; nothing is done."""
    before = (world.requests()[:1] or [{"id": 0}])[0]["id"], world.effects("hooks", reference="raw")
    answer = exchange(world.url, data)
    assert (answer.status, answer.json()["status"]) == (status, status)
    (kept,) = (one for one in world.requests() if one["id"] > before[0])
    assert kept["status"] == status
    assert world.effects("hooks", reference="raw") == before[1]


def test_page_and_lists_in_parts(world: OutsideWorld, mine: str) -> None:
    """Lists come in parts, the newest first; the page shows the same, says what mode is set, and loads only from us."""
    for number in range(5):
        world.ask("POST", "/mail", mail(mine, subject=f"<b>{number}</b>"))
    first = requests.get(f"{world.url}/effects?reference={mine}&limit=2", timeout=TIMEOUT_SECONDS).json()
    assert [effect["details"]["subject"] for effect in first["effects"]] == ["<b>4</b>", "<b>3</b>"]
    assert first["after"] == first["effects"][-1]["id"]
    assert len(world.effects(reference=mine)) == 5
    with world.told("mail", "error", reference=mine):
        assert world.ask("POST", "/mail", mail(mine)).status_code == 500
        page = requests.get(world.url, params={"reference": mine}, timeout=TIMEOUT_SECONDS)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.text.index("&lt;b&gt;4&lt;/b&gt;") < page.text.index("&lt;b&gt;0&lt;/b&gt;")
    assert page.text.count(">202</span>") == 5
    assert page.text.count(">500</span>") == 1
    assert f"reference <code>{mine}</code>" in page.text


def test_page_is_short(world: OutsideWorld, mine: str) -> None:
    """However much was asked, the page has the newest of each receiver, and a link to the older ones."""
    for _ in range(25):
        world.ask("POST", f"/hooks/{mine.replace('/', '-')}", 1, reference=mine)
    first = requests.get(world.url, params={"reference": mine}, timeout=TIMEOUT_SECONDS).text
    (older,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = requests.get(world.url + html.unescape(older), timeout=TIMEOUT_SECONDS).text
    assert [page.count(">204</span>") for page in (first, second)] == [20, 5]


@pytest.mark.parametrize("query", ["receiver=nobody", "limit=0", "limit=501", "limit=x", "after=0", "refrence=plain"])
def test_wrong_filter(world: OutsideWorld, query: str) -> None:
    """A filter that is unknown or wrong is refused: it would count what is not meant."""
    for path in ("/requests", "/effects", "/"):
        answer = requests.get(f"{world.url}{path}?{query}", timeout=TIMEOUT_SECONDS)
        assert (answer.status_code, answer.json()["status"]) == (400, 400)
