"""Why not just a ledger, keyed by the request's Idempotency-Key, and no Restate?

It is enough for one write whose client asks again: what was done is known, and the request goes on where the first one
ended. It is nothing without that client. Whether somebody asks again is what Restate answers; and what nobody asked for
by a request (a reminder that is due, the undoing of a meeting) has no key.
"""

import contextlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, make_url

from flask_restate.migrations import ledger_0001
from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Answer
from tests.scenarios.conftest import only_plain
from tests.support.history import Outcome, Verdict
from tests.support.running_twin import RunningTwin
from tests.support.user import prepared, verdict_on
from todo_stack.checks import http_ok
from todo_stack.output import Log
from todo_stack.paths import REPOSITORY
from todo_stack.ports import HOST, Ports
from todo_stack.process import Server
from todo_stack.twins import PLAIN

APPLICATION = "tests.costs.peers.ledger_only_peer:create_app()"


class LedgerOnly(RunningTwin):
    """The plain twin with a ledger, beside the plain twin, on its database and links."""

    def __init__(self, lab: Laboratory, log: Log) -> None:
        """Describe it; it does not run yet."""
        port = Ports.free().flask_todo
        super().__init__(PLAIN, lab.stack, f"http://{HOST}:{port}")
        command = [sys.executable, "-m", "gunicorn", "--config", f"python:{PLAIN.gunicorn_conf}", APPLICATION]
        env = {**lab.twin.web.env, "PORT": str(port)}
        self.server = Server("ledger-only", command, env, log, http_ok(f"{self.url}/readyz"), cwd=REPOSITORY)


@pytest.fixture
def ledger_only(lab: Laboratory, log: Log) -> Iterator[LedgerOnly]:
    """The plain twin with a ledger, running."""
    address = make_url(lab.stack.database_url(PLAIN)).set(drivername="postgresql+psycopg2")
    engine = create_engine(address)
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        ledger_0001.upgrade()
    engine.dispose()
    application = LedgerOnly(lab, log)
    with contextlib.ExitStack() as afterwards:
        afterwards.callback(application.server.stop)
        application.server.start()
        yield application


@only_plain
def test_process_dies(lab: Laboratory, ledger_only: LedgerOnly, meanwhile: ThreadPoolExecutor) -> None:
    """Of two payments that are charged and not recorded, one is asked for again, and paid; the other is stuck."""
    asked_again, given_up = prepared(lab.twin, "pay"), prepared(lab.twin, "pay")
    answers = [lab.to_outside.hold(Answer("POST /payments", mentioning=p.todo_id)) for p in (asked_again, given_up)]
    first = [meanwhile.submit(ledger_only.operate, payment) for payment in (asked_again, given_up)]
    for answer in answers:
        answer.wait()
    ledger_only.server.kill()
    ledger_only.server.start()
    assert [payment.result().outcome for payment in first] == [Outcome.UNKNOWN] * 2
    ledger_only.operate(asked_again)

    assert (asked_again.detail, verdict_on(ledger_only, asked_again)) == ("201", Verdict.EXACTLY_ONCE)
    assert verdict_on(ledger_only, given_up) is Verdict.STUCK
