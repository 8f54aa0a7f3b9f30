"""Is it enough to charge, and to commit then?

So do most tutorials, in these lines. If the commit fails, the money is taken and nobody knows; if its user tries again,
it is taken twice. The plain twin commits first that it is going to charge, and is stuck in the worst case.
"""

from uuid import uuid4

import requests
from flask import Flask, redirect
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Sent
from tests.scenarios.conftest import only_plain
from tests.support.history import Outcome, Verdict
from tests.support.user import prepared, verdict_on
from todo_shared.models import Bounty, Payment
from todo_stack.twins import PLAIN, RESTATE

TIMEOUT_SECONDS = 30

EXPECTED = {
    # "Charging" is committed before, so the money is not forgotten, and cannot be taken twice.
    PLAIN: ("503", Verdict.STUCK),
    # The step that records is run again.
    RESTATE: ("201", Verdict.EXACTLY_ONCE),
}


def tutorial(engine: Engine, provider_url: str) -> Flask:
    """Make an application that pays as tutorials do."""
    app = Flask(__name__)

    @app.post("/pay/<int:todo_id>")
    def pay(todo_id: int) -> Response:
        with Session(engine) as session:
            bounty = session.get_one(Bounty, todo_id)
            price = {"amount": bounty.amount, "currency": bounty.currency}
            order = {**price, "reference": f"plain/{todo_id}"}
            charged = requests.post(f"{provider_url}/payments", json=order, timeout=TIMEOUT_SECONDS).json()
            session.add(Payment(id=str(uuid4()), todo_id=todo_id, **price, status="paid", charge=charged["id"]))
            session.commit()
        return redirect("/")

    return app


@only_plain
def test_charge_then_commit(lab: Laboratory, engine: Engine) -> None:
    """Its user reads of an error, the money is taken, and no record says so; with a second try it is taken twice."""
    paying = prepared(lab.twin, "pay")
    client = tutorial(engine, lab.stack.ports.outside_world_url).test_client()
    dropped = lab.database.cut(Sent("COMMIT", mentioning=paying.todo_id))
    answers = [client.post(f"/pay/{paying.todo_id}")]
    dropped.wait()
    paying.record(Outcome.FAIL, answers[0].status)
    verdict = verdict_on(lab.twin, paying)
    answers.append(client.post(f"/pay/{paying.todo_id}"))

    assert [answer.status_code for answer in answers] == [500, 302]
    assert (verdict, verdict_on(lab.twin, paying)) == (Verdict.HALF_DONE, Verdict.DUPLICATED)


def test_twins(lab: Laboratory) -> None:
    """When the same commit fails, the plain twin is stuck, and the Restate twin has charged and recorded once."""
    paying = prepared(lab.twin, "pay")
    dropped = lab.database.cut(Sent("COMMIT", mentioning="UPDATE payment"))
    lab.twin.operate(paying)
    dropped.wait()

    assert (paying.detail, verdict_on(lab.twin, paying)) == EXPECTED[lab.which]
