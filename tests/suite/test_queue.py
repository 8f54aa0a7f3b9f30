"""More requests than threads: each has its turn, is refused while nothing of it was done, or does not wait for long."""

import contextlib
import io
import selectors
import socket
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from flask_todo_restate.settings import WebSettings
from tests.support.history import Outcome, Verdict
from tests.support.raw_http import JSON, answer_on, connect, exchange, request
from tests.support.running_twin import TIMEOUT_SECONDS, RunningStack, RunningTwin
from tests.support.table_lock import todos_locked, waiting_for_locks
from tests.support.user import add, new_name, verdict_on
from tests.support.waiting import until
from tests.support.web_beside import web_beside
from todo_shared.gunicorn_worker import DeadlineWorker
from todo_shared.sockets import has_news
from todo_shared.thread_pool import WorkQueue
from todo_stack.twins import PLAIN, RESTATE


def test_turns(stack: RunningStack) -> None:
    """Four times as many clients as threads take turns, and one that is silent for a while is not forgotten."""
    threads, each = 2, 100
    clients = 4 * threads
    order, together = list[int](), Barrier(clients)
    ask_once = request("GET", "/healthz")
    plain, settings = RunningTwin(PLAIN, stack), {"WEB_THREADS": str(threads)}
    with web_beside(plain, settings) as web, connect(web.url, ask_once) as silent:
        assert answer_on(silent).status == 200

        def ask(number: int) -> None:
            with requests.Session() as session:
                together.wait(TIMEOUT_SECONDS)
                for _ in range(each):
                    assert session.get(f"{web.url}/healthz", timeout=TIMEOUT_SECONDS).ok
                    order.append(number)

        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(ask, range(clients)))
        silent.sendall(ask_once)
        assert answer_on(silent).status == 200
    first_done = next(place for place in range(len(order)) if order[: place + 1].count(order[place]) == each)
    assert min(order[:first_done].count(number) for number in range(clients)) > each / 2


class Client:
    """As much of gunicorn's TConn as is looked at: one has sent this, of which that was read with its last request."""

    initialized, is_http2 = True, False

    def __init__(self, sent: bytes = b"", read: bytes = b"") -> None:
        self.sock, self.its_side = socket.socketpair()
        self.its_side.send(sent)
        self.parser = SimpleNamespace(unreader=SimpleNamespace(buf=io.BytesIO(read)))

    def __del__(self) -> None:
        """Leave no socket behind."""
        self.sock.close()
        self.its_side.close()


class Worker(DeadlineWorker):
    """Notes what becomes of clients that have their answer, and has no loop and no threads. One client waits."""

    def __init__(self) -> None:
        self.alive, self.answered, self.waiting = True, deque(), {Client()}
        self.begun, self.staying, self.work, self.cfg = {}, set(), WorkQueue(2), SimpleNamespace(threads=2)
        self.for_thread, self.for_loop, self.woken = list[Any](), list[Any](), list[Any]()
        self.tpool = SimpleNamespace(submit=lambda _, conn: self.for_thread.append(conn))
        self.method_queue = SimpleNamespace(defer=self.woken.append)

    def finish_request(self, conn: object, done: Any) -> None:  # noqa: ANN401 - a Future, as gunicorn has it
        """Note what is left to the loop."""
        self.for_loop.append((conn, done.result()))


@pytest.mark.parametrize("where", ["sent", "read"])
def test_next_request_while_others_wait(where: str) -> None:
    """It waits for a thread as soon as another client has its answer, and the loop is not woken."""
    worker, silent, come, other = Worker(), Client(), Client(**{where: b"GET"}), Client()
    for client in (silent, come, other):
        worker._give_back(client, True)
    assert (worker.for_thread, worker.for_loop, worker.woken) == ([come], [], [])
    assert [client for client, _ in worker.answered] == [silent, other]
    assert come in worker.waiting


def test_clients_are_left_to_the_loop() -> None:
    """It is woken for them when nobody waits any more; and it closes those that are not kept."""
    worker, silent, closed, come = Worker(), Client(), Client(sent=b"GET"), Client(sent=b"GET")
    worker._give_back(silent, True)
    worker._give_back(closed, False)
    assert not worker.woken
    worker.waiting.clear()
    worker._give_back(come, True)
    (take_back,) = worker.woken
    take_back()
    assert worker.for_thread == [come]
    assert sorted(worker.for_loop, key=str) == sorted([(silent, True), (closed, False)], key=str)
    assert not worker.answered


def test_thread_leaves_a_client_to_a_loop_that_is_late() -> None:
    """A thread stays with a client that asks at once, unless the loop has something to do that it has not come to."""
    worker, come, other = Worker(), Client(sent=b"GET"), Client()
    worker.waiting.clear()
    with selectors.DefaultSelector() as worker.poller:
        worker.poller.register(other.sock, selectors.EVENT_READ)
        assert worker._stay(come)
        other.its_side.send(b"GET")
        assert not worker._stay(come)
    # Then the selector is closed, as at the end of a worker whose last client is still busy.
    assert not worker._stay(come)
    assert not worker.staying


def test_end_of_a_worker() -> None:
    """When its end has begun, the loop has the last word on each client."""
    worker, come = Worker(), Client(sent=b"GET")
    worker.alive = False
    worker._give_back(come, True)
    assert [*worker.answered] == [(come, True)]
    worker._take_back()
    assert (worker.for_thread, worker.for_loop) == ([], [(come, True)])


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_error_in_a_thread(error: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the log, and the connection is closed."""
    worker, client, lines = Worker(), Client(sent=b"GET"), list[str]()
    worker.log = SimpleNamespace(exception=lines.append)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Worker, "_handle_one", fail)
    worker.handle(client)
    assert len(lines) == 1
    assert [*worker.answered] == [(client, False)]
    assert client.its_side.recv(1) == b""


def test_queue_is_full(stack: RunningStack) -> None:
    """With one thread and room for two, a fourth request and each one after it is refused at once, and not done."""
    plain, database, name = RunningTwin(PLAIN, stack), stack.database_url(PLAIN), new_name("queue")
    body = b'{"title":"%s"}' % name.encode()
    one = request("POST", "/api/todos", JSON, f"Content-Length: {len(body)}", body=body)
    with web_beside(plain, {"WEB_THREADS": "1", "WEB_QUEUE": "2"}) as web, contextlib.ExitStack() as clients:

        def answered() -> list[socket.socket]:
            return [client for client in others if has_news(client.fileno())]

        with todos_locked(database):
            first = clients.enter_context(connect(web.url, one))
            until(lambda: waiting_for_locks(database) == 1, "the thread waits for the database")
            others = [clients.enter_context(connect(web.url, one)) for _ in range(4)]
            until(lambda: len(answered()) == 2, "two are refused")
            refused = answered()
            page = exchange(web.url, request("GET", "/"))
        accepted = [client for client in (first, *others) if client not in refused]
        assert [answer_on(client).status for client in accepted] == [201] * 3
        for client in refused:
            answer = answer_on(client)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert "Nothing was done" in answer.json()["detail"]
        assert (page.status, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert plain.tasks(name) == [name] * 3


def test_threads_that_wait(stack: RunningStack) -> None:
    """More pages than threads at work wait for the database, and the Restate twin takes a write meanwhile."""
    durable, database = RunningTwin(RESTATE, stack), stack.database_url(RESTATE)
    at_work = WebSettings.model_fields["db_pool_size"].default
    patient = {"DB_STATEMENT_TIMEOUT_SECONDS": "60", "DB_POOL_TIMEOUT_SECONDS": "60"}
    with web_beside(durable, patient) as web, contextlib.ExitStack() as clients:
        with todos_locked(database, reads=True):
            pages = [clients.enter_context(connect(web.url, request("GET", "/"))) for _ in range(2 * at_work)]
            until(lambda: waiting_for_locks(database) >= at_work, "as many pages as threads at work wait")
            during = add(web, new_name("during"))
            assert during.outcome is Outcome.PENDING
            assert not any(has_news(page.fileno()) for page in pages)
        assert {answer_on(page).status for page in pages} == {200}
    assert verdict_on(durable, during) is Verdict.EXACTLY_ONCE


def test_busy_worker_lives(stack: RunningStack) -> None:
    """A worker that always has something to do says in time that it lives: gunicorn ends it otherwise."""
    lines = list[str]()
    settings = {"GUNICORN_CMD_ARGS": "--timeout 2"}
    with web_beside(RunningTwin(PLAIN, stack), settings, lambda _, line: lines.append(line)) as web:
        end = time.monotonic() + 5
        with requests.Session() as client:
            while time.monotonic() < end:
                assert client.get(f"{web.url}/healthz", timeout=10).ok
    assert not [line for line in lines if "TIMEOUT" in line]
