"""A todo that is met about, as tests see it: at its twin, in the outside world, and at Restate's admin API."""

from contextlib import AbstractContextManager
from typing import Any

import requests

from tests.support import restate_admin
from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin, new_key
from tests.support.user import new_name
from tests.support.waiting import until

STEPS = ("calendar", "room", "mark", "invite")
RECEIVERS = {"calendar": "calendar", "room": "rooms", "invite": "mail"}
PLAN = {"start": "2030-01-31T09:00:00+01:00", "minutes": 30, "invite": "ann@example.org"}

PLANNED = {"calendar": ["booked"], "room": ["booked"], "invite": ["Invitation"]}
CANCELLED = {name: ["booked", "cancelled"] for name in ("calendar", "room")} | {"invite": ["Invitation", "Cancelled"]}
"""What others did for a meeting that was planned, or cancelled then."""


class MetTodo:
    """A todo, with a room of its own for its meetings."""

    def __init__(self, twin: RunningTwin, world: OutsideWorldClient) -> None:
        """Add it."""
        self.twin, self.world = twin, world
        self.id: int = twin.add(new_name("met"))["id"]
        self.plan: dict[str, Any] = {**PLAN, "room": f"room {self.id} {twin.which.key}"}

    def call(self, method: str, path: str = "/meeting", json: object = None, key: str = "") -> requests.Response:
        """Ask for something of it."""
        return self.twin.call(method, f"/{self.id}{path}", json=json, headers={"Idempotency-Key": key or new_key()})

    def meet(self, key: str = "", **changes: object) -> requests.Response:
        """Plan a meeting."""
        return self.call("POST", json={**self.plan, **changes}, key=key)

    def cancel(self) -> None:
        """Cancel it, now or soon."""
        answer = self.call("DELETE")
        assert answer.status_code in ((202, 204) if self.twin.which.durable else (204,)), answer.text

    def meeting(self) -> dict[str, Any]:
        """Return its meeting."""
        shown: dict[str, Any] = self.call("GET").json()
        return shown

    def steps(self) -> str:
        """Return the state of its meeting and of the steps, in their order."""
        meeting = self.meeting()
        return " ".join([meeting["status"], *(meeting["steps"][step] for step in STEPS)])

    def becomes(self, steps: str) -> None:
        """Wait for this."""
        until(lambda: self.steps() == steps, steps)

    def effects(self) -> dict[str, list[str]]:
        """Return what others did, and whether they asked or told."""
        found = {step: self.world.effects_for(self.id, receiver) for step, receiver in RECEIVERS.items()}
        mails = [effect["details"]["subject"].partition(":")[0] for effect in found.pop("invite")]
        return {step: [effect["what"] for effect in effects] for step, effects in found.items()} | {"invite": mails}

    def is_cancelled(self) -> None:
        """Wait until others undid all of it: a call on its way to another partition of Restate is in no table."""
        until(lambda: self.effects() == CANCELLED, str(CANCELLED))

    def booked(self) -> list[str]:
        """Return what is booked and not cancelled."""
        done = self.effects()
        return [step for step in ("calendar", "room") if done[step].count("booked") > done[step].count("cancelled")]

    def answers(self, step: str, method: str) -> list[int | None]:
        """Return what those who asked for a step were answered."""
        asked = self.world.requests_for(self.id, RECEIVERS[step])
        return [request["status"] for request in asked if request["method"] == method]

    def asked(self, step: str) -> bool:
        """Return whether somebody was asked for this step."""
        return bool(self.world.requests_for(self.id, RECEIVERS[step]))

    @property
    def admin_url(self) -> str:
        """Where its operator gives orders."""
        return self.twin.stack.ports.admin_url

    def calls(self) -> dict[str, str]:
        """Return the ids of the calls that are not finished, by the names of their handlers."""
        return {call["target"].rpartition("/")[2]: call["id"] for call in self.twin.unfinished()}

    def order(self, call: str, verb: str) -> None:
        """Do this to a call, as an operator."""
        restate_admin.order(self.admin_url, call, verb)

    def state(self, call: str) -> str:
        """Return how Restate calls the state that a call is in; nothing if it knows none."""
        return str(restate_admin.invocation(self.admin_url, call).get("status", ""))

    def told(self, step: str, mode: str, **order: object) -> AbstractContextManager[None]:
        """Let who is asked for a step behave so."""
        return self.world.told_for(self.id, RECEIVERS[step], mode, **order)
