"""The live lab in a process of its own, as make runs it, used by a script through its API."""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import requests

from tests.faultlab.live.script import TIMEOUT_SECONDS, TOKEN, Script, started
from tests.support.waiting import until
from todo_stack.ports import Ports

START_SECONDS = 120


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Script]:
    """A script with a lab of its own."""
    data, port = tmp_path_factory.mktemp("lab"), Ports.free().flask_todo
    script = Script(started(data, port), data, f"http://127.0.0.1:{port}")
    with script.process:
        try:
            until(lambda: script.process.poll() is not None or script.ask("GET", "/").ok, "the page", START_SECONDS)
            yield script
        finally:
            script.process.terminate()


@pytest.fixture
def script(running: Script) -> Iterator[Script]:
    """The same, with nothing broken and nothing counted."""
    running.done("POST", "/api/reset")
    yield running
    running.done("POST", "/api/reset")


@pytest.mark.parametrize("token", [None, "of-another-lab"])
@pytest.mark.parametrize("path", ["heal", "reset", "processes", "operations", "stories/after-commit", "chaos"])
def test_token(running: Script, path: str, token: str | None) -> None:
    """Who has no token, or another one, sees everything and changes nothing."""
    stranger = Script(running.process, running.data, running.url, token)
    assert "token" in stranger.refused(403, "POST", f"/api/{path}", {})
    assert "You only look" in stranger.ask("GET", "/").text
    assert stranger.done("GET", "/api/state")["busy"] == ""


def test_token_as_a_cookie(running: Script) -> None:
    """The first load with the token keeps it in a cookie that no other site can use, and takes it from the address."""
    with requests.Session() as session:
        page = session.get(f"{running.url}/", params={"token": TOKEN}, timeout=TIMEOUT_SECONDS)
        assert page.url == f"{running.url}/"
        assert "You only look" not in page.text
        given = page.history[0].headers["Set-Cookie"]
        assert "HttpOnly" in given
        assert "SameSite=Strict" in given
        assert session.post(f"{running.url}/api/heal", timeout=TIMEOUT_SECONDS).ok
        # A page of another server of this machine sends it, too.
        other = {"Origin": "http://127.0.0.1:5040"}
        assert session.post(f"{running.url}/api/heal", headers=other, timeout=TIMEOUT_SECONDS).status_code == 403
    assert requests.get(f"{running.url}/?token=other", timeout=TIMEOUT_SECONDS).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.2"])
def test_host(running: Script, host: str) -> None:
    """A page of another name that leads here gets nothing, with the token or without."""
    for method, path in [("GET", "/"), ("GET", "/api/state"), ("GET", "/api/events"), ("POST", "/api/heal")]:
        assert running.ask(method, path, Host=host).status_code == 400


@pytest.mark.parametrize(
    ("path", "order", "said"),
    [
        ("processes", {"process": "web", "deed": "explode"}, "deed"),
        ("processes", {"deed": "kill"}, "process"),
        ("processes", {"process": "web", "deed": "kill", "twin": "third"}, "twin"),
        ("messages", {"seam": "COMMIT", "fate": "hold", "seconds": 61}, "seconds"),
        ("messages", {"seam": "COMMIT", "fate": "hold", "more": 1}, "more"),
        ("release", {"fate": "hold"}, "fate"),
        ("operations", {"kind": "add", "again": "perhaps"}, "again"),
        ("chaos", {"seconds": 0}, "seconds"),
        ("chaos", {"seed": -1}, "seed"),
    ],
)
def test_not_understood(running: Script, path: str, order: object, said: str) -> None:
    """An order that is not understood names the field, and does nothing."""
    before = running.side("plain")["processes"]
    assert said in running.refused(422, "POST", f"/api/{path}", order)
    assert running.side("plain")["processes"] == before


@pytest.mark.parametrize("rate", [-1, 21, "many"])
def test_stream_has_its_limits(running: Script, rate: object) -> None:
    """A stream is of 0 to 20 operations a second."""
    assert "rate" in running.refused(422, "PUT", "/api/stream", {"rate": rate})


@pytest.mark.parametrize(
    ("path", "order", "said"),
    [
        ("processes", {"process": "Restate", "deed": "kill", "twin": "plain"}, "has no Restate"),
        ("processes", {"process": "nobody", "deed": "kill"}, "no nobody"),
        ("messages", {"seam": "call", "fate": "hold", "twin": "plain"}, "no such message"),
        ("messages", {"seam": "ledger", "fate": "hold", "twin": "plain"}, "no such message"),
        ("operations", {"kind": "explode"}, "no operation"),
        ("stories/nonsense", None, "no story"),
    ],
)
def test_not_there(running: Script, path: str, order: object, said: str) -> None:
    """What a twin does not have cannot be done; the answer says what is missing."""
    assert said in running.refused(409, "POST", f"/api/{path}", order)


@pytest.mark.parametrize("twin", ["plain", "restate"])
def test_hold_and_release(script: Script, twin: str) -> None:
    """The answer to a COMMIT is held while the row is there already; let go, it is told, and the history has it all."""
    script.done("POST", "/api/messages", {"twin": twin, "seam": "committed", "fate": "hold"})
    (key,) = script.done("POST", "/api/operations", {"twin": twin, "kind": "add"})["keys"]
    until(lambda: [one["label"] for one in script.side(twin)["armed"] if one["held"]] == ["COMMIT"], "the held message")
    until(lambda: script.operation(twin, key)["there"] == "once", "the row")
    assert script.operation(twin, key)["verdict"] == "goes on"
    script.done("POST", "/api/release", {"twin": twin})
    history = script.until_verdict(twin, key, "exactly once")
    assert history["told"] == "ok (201)"
    kinds = [(event["label"], event["kind"]) for event in history["events"] if event["kind"] != "passed"]
    assert kinds == [("COMMIT", "held"), ("COMMIT", "released")]
    assert [event["at"] for event in history["events"]] == sorted(event["at"] for event in history["events"])
    assert script.side(twin)["armed"] == []
    assert script.side("plain" if twin == "restate" else "restate")["count"]["operations"] == []


def test_answer_lost(script: Script) -> None:
    """The answers of both are lost; who asks again has two todos in the plain twin, and one in the Restate twin."""
    script.done("POST", "/api/messages", {"seam": "response", "fate": "reset"})
    plain, restate = script.done("POST", "/api/operations", {"kind": "add", "again": True})["keys"]
    script.until_verdict("plain", plain, "DUPLICATED")
    script.until_verdict("restate", restate, "exactly once")
    assert [script.side(twin)["count"]["bad"] for twin in ("plain", "restate")] == [1, 0]


def test_drop(script: Script) -> None:
    """A message that is dropped is in the history of each, and nobody has its answer."""
    script.done("POST", "/api/messages", {"seam": "request", "fate": "drop"})
    keys = script.done("POST", "/api/operations", {"kind": "add"})["keys"]

    def kinds(twin: str, key: str) -> list[str]:
        return [event["kind"] for event in script.operation(twin, key)["events"]]

    for twin, key in zip(("plain", "restate"), keys, strict=True):
        until(lambda twin=twin, key=key: kinds(twin, key) == ["held", "dropped"], "it")  # type: ignore[misc]


def test_delay(script: Script) -> None:
    """A message that is delayed passes by itself, also where what is held is let go and the rest is disarmed."""
    script.done("POST", "/api/messages", {"seam": "COMMIT", "fate": "delay", "seconds": 0.5})
    script.done("POST", "/api/messages", {"seam": "response", "fate": "reset"})
    keys = script.done("POST", "/api/operations", {"kind": "add"})["keys"]
    until(lambda: any(one["held"] for one in script.side("restate")["armed"]), "the delayed message")
    script.done("POST", "/api/release")
    for twin, key in zip(("plain", "restate"), keys, strict=True):
        events = script.until_verdict(twin, key, "exactly once")["events"]
        held, released = (event["at"] for event in events if event["kind"] in ("held", "released"))
        assert released - held >= 500


def test_kill_and_start(script: Script) -> None:
    """A server that is killed, frozen or stopped is shown so until it is started; what is down cannot be frozen."""
    for deed, state in [("kill", "is down"), ("freeze", "is frozen"), ("stop", "is down")]:
        script.done("POST", "/api/processes", {"process": "service", "deed": deed})
        assert script.process_state("restate", "service") == state
        script.done("POST", "/api/processes", {"process": "service", "deed": "start"})
        assert script.process_state("restate", "service") == "runs"
    script.done("POST", "/api/processes", {"process": "web", "deed": "kill", "twin": "plain"})
    assert script.process_state("restate", "web") == "runs"
    order = {"process": "web", "deed": "freeze", "twin": "plain"}
    assert "does not run" in script.refused(409, "POST", "/api/processes", order)
    script.done("POST", "/api/heal")
    assert script.process_state("plain", "web") == "runs"


def test_database_away(script: Script) -> None:
    """Without its database a twin says that it has the last count; the plain one refuses, the other promises."""
    plain, restate = script.done("POST", "/api/operations", {"kind": "add"})["keys"]
    script.until_verdict("plain", plain, "exactly once")
    script.until_verdict("restate", restate, "exactly once")
    script.done("POST", "/api/processes", {"process": "database", "deed": "kill"})
    until(lambda: not script.side("plain")["count"]["reached"], "a count that is not reached")
    plain, restate = script.done("POST", "/api/operations", {"kind": "add"})["keys"]
    for twin in ("plain", "restate"):
        assert script.side(twin)["count"]["kinds"][0]["database"] == 1
    until(lambda: script.operation("plain", plain)["told"].startswith("fail"), "the refusal")
    until(lambda: script.operation("restate", restate)["told"].startswith("pending"), "the promise")
    script.done("POST", "/api/heal")
    script.until_verdict("plain", plain, "refused")
    script.until_verdict("restate", restate, "exactly once")


def test_promised_is_not_stuck(script: Script) -> None:
    """What is done and not told yet goes on for as long as the service is down, and is red at no moment."""
    script.done("POST", "/api/messages", {"twin": "restate", "seam": "committed", "fate": "hold"})
    (key,) = script.done("POST", "/api/operations", {"twin": "restate", "kind": "add"})["keys"]
    until(lambda: script.operation("restate", key)["there"] == "once", "the row")
    script.done("POST", "/api/processes", {"process": "service", "deed": "kill", "twin": "restate"})
    until(lambda: script.operation("restate", key)["told"].startswith("pending"), "the promise")
    (later,) = script.done("POST", "/api/operations", {"twin": "restate", "kind": "add"})["keys"]
    until(lambda: script.operation("restate", later)["there"] == "not at all", "a count that is younger")
    assert script.operation("restate", key)["verdict"] == "goes on"
    script.done("POST", "/api/heal")
    script.until_verdict("restate", key, "exactly once")


def test_what_was_undone_is_not_counted(script: Script) -> None:
    """An event that was booked and cancelled again is none."""
    script.done("POST", "/api/messages", {"twin": "plain", "seam": "answer", "fate": "reset"})
    (key,) = script.done("POST", "/api/operations", {"twin": "plain", "kind": "plan"})["keys"]
    script.until_verdict("plain", key, "refused")
    (row,) = script.side("plain")["count"]["kinds"]
    assert (row["told"], row["database"], row["outside"]) == (0, 0, 0)


def test_stream(script: Script) -> None:
    """A steady stream counts up in both twins, with its price, until it ends; undisturbed, nothing is ever bad."""

    def counted() -> dict[str, Any]:
        sides: dict[str, Any] = script.done("GET", "/api/state")["sides"]
        assert [side["count"]["bad"] for side in sides.values()] == [0, 0]
        # On a slow machine the first ones are promised, and have no price.
        found = [(side["count"]["verdicts"]["exactly once"], side["price"]["requests"]) for side in sides.values()]
        return sides if all(made >= 10 and answered for made, answered in found) else {}

    script.done("PUT", "/api/stream", {"rate": 10, "kind": "pay"})
    sides = until(counted, "ten payments in both, and an answer at once")
    for side in sides.values():
        assert side["price"]["p50_ms"] > 0
        assert side["price"]["memory_mb"] > 0
    assert sides["restate"]["price"]["processes"] > sides["plain"]["price"]["processes"]
    state = script.done("PUT", "/api/stream", {"rate": 0})
    assert state["stream"]["rate"] == 0


def test_price(script: Script) -> None:
    """What an operation takes is counted from its request on, however long its todo has been there."""
    began = time.monotonic()
    keys = script.done("POST", "/api/operations", {"kind": "update"})["keys"]
    for twin, key in zip(("plain", "restate"), keys, strict=True):
        script.until_verdict(twin, key, "exactly once")
        price = script.side(twin)["price"]
        assert price["requests"] == 1
        assert 0 < price["p50_ms"] <= (time.monotonic() - began) * 1000


def test_events(script: Script) -> None:
    """Who listens is told how everything is, and then each message as it passes."""
    with requests.get(f"{script.url}/api/events", stream=True, timeout=TIMEOUT_SECONDS) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        lines = stream.iter_lines(decode_unicode=True)
        assert next(lines) == "event: state"
        keys = script.done("POST", "/api/operations", {"twin": "plain", "kind": "add"})["keys"]
        wires = (json.loads(next(lines).removeprefix("data: ")) for line in lines if line == "event: wire")
        passed = (event for events in wires for event in events if event.get("operations") == keys)
        assert next(passed)["link"] == "client to web"
        assert next(event["label"] for event in passed if event["seam"] == "COMMIT") == "COMMIT"


def test_second_lab(script: Script) -> None:
    """A second lab on the same folder, or on the same port, says so and ends; the first one goes on."""
    for data, said in [(script.data, "runs on"), (script.data / "other", "in use")]:
        with started(data, int(script.url.rpartition(":")[2])) as second:
            output, _ = second.communicate(timeout=START_SECONDS)
        assert second.returncode == 1
        assert said in output
        assert re.search("^error: ", output, flags=re.MULTILINE)
    assert script.side("plain")["count"]["reached"]


def test_ended_in_the_middle_of_a_story(running: Script) -> None:
    """While a story is told nothing else can be; SIGTERM in its middle ends the lab, and leaves no process.

    It is the last one here, because it ends the lab of all.
    """
    running.done("POST", "/api/stories/card-charged")
    for path in ("heal", "reset", "chaos", "stories/after-commit", "operations"):
        assert "goes on: wait" in running.refused(409, "POST", f"/api/{path}", {})
    family = psutil.Process(running.process.pid).children(recursive=True)
    assert len(family) > 5
    running.process.terminate()
    output, _ = running.process.communicate(timeout=START_SECONDS)
    assert running.process.returncode == 0, output
    assert output.rstrip().endswith("stopped")
    assert not [member for member in family if _runs(member)]


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
