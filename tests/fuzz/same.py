"""One request to both twins: they answer the same, keep the same, and do what they said."""

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import psycopg2
import requests
from hypothesis import given, seed

from tests.fuzz.calls import Call, api_calls, good_calls, page_calls
from tests.fuzz.examples import examples
from tests.fuzz.tally import Tally, is_server_error
from tests.support.browser import Browser
from tests.support.running_twin import TIMEOUT_SECONDS, RunningTwin, new_key
from todo_shared.validation import clean_task

KEPT = (700_000_001, "kept", False, None)
"""The todo that is there before each request."""
_KEPT_ALONE = (
    "DELETE FROM payment; DELETE FROM todo; ALTER TABLE todo ALTER id RESTART WITH 700000001;"
    " INSERT INTO todo (task) VALUES ('kept')"
)
_DIFFERS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[\w-]{40,}\.[\w-]+\.[\w-]+")
"""What differs from one page to the next: request ids, and tokens against forgery."""
_OF_ONE_TWIN = re.compile(r'(?s:<footer id="way".*?</footer>)|^\s*\n', re.MULTILINE)
"""What differs between the twins: the way of a write, and empty lines where only one of them may show something."""


class Contestant:
    """One of the twins, with a session of its own on its pages."""

    def __init__(self, twin: RunningTwin, tally: Tally) -> None:
        self.twin = twin
        self.browser = Browser(twin.url)
        self.browser.session = tally.session()
        # Kept, because a new connection for each statement would take most of the time.
        self.database = psycopg2.connect(twin.stack.database_url(twin.which))
        self.database.autocommit = True
        self.token = self.browser.form("/add").fields["csrf_token"]

    def close(self) -> None:
        """Close its connections."""
        self.browser.close()
        self.database.close()

    def todos(self) -> list[tuple[Any, ...]]:
        """Return id, task, completed and order of all todos in the database."""
        with self.database.cursor() as cursor:
            cursor.execute('SELECT id, task, completed, "order" FROM todo ORDER BY id')
            return cursor.fetchall()

    def ask(self, call: Call, key: str) -> requests.Response:
        """Send the call where nothing but the kept todo is there, and check that what was done is what was said."""
        with self.database.cursor() as cursor:
            cursor.execute(_KEPT_ALONE)
        filled = call.filled(key=key, token=self.token, kept=str(KEPT[0]))
        response = self.browser.session.request(
            filled.method,
            self.twin.url + filled.path,
            data=filled.body,
            headers=filled.headers,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
        assert not is_server_error(response.status_code), response.text
        if response.status_code == 202:
            # A slow moment of the machine. It is done later, and what it did is checked all the same.
            self.twin.settle()
        self.check(filled, response)
        return response

    def check(self, call: Call, response: requests.Response) -> None:
        """Check that what is refused leaves no trace, and that what is accepted is read back equal."""
        todos = self.todos()
        if response.status_code >= 400 or call.method in ("GET", "HEAD", "OPTIONS"):
            assert todos == [KEPT]
        elif response.status_code in (200, 201):
            todo = response.json()
            assert self.browser.session.get(todo["url"], timeout=TIMEOUT_SECONDS).json() == todo
            assert (todo["id"], todo["title"], todo["completed"], todo["order"]) == todos[-1]
            given = json.loads(call.body)
            changed = {name: given[name] for name in ("order", "completed") if name in given and call.method == "PATCH"}
            assert changed.items() <= todo.items()
            assert clean_task(given.get("title", todo["title"])) == todo["title"]
        elif call.method == "DELETE" or call.path.startswith("/delete"):
            assert todos == []
        else:
            sent = parse_qs(call.body.decode(), keep_blank_values=True).get("task")
            assert todos[-1][1] == (clean_task(sent[0]) if sent else KEPT[1])
            assert len(todos) == (2 if call.path == "/add" else 1)

    def comparable(self, response: requests.Response) -> tuple[Any, ...]:
        """Return what must be equal in both twins."""
        text = response.text.replace(self.twin.url, "").replace(self.twin.which.title, "")
        location = response.headers.get("location", "").replace(self.twin.url, "")
        same = _OF_ONE_TWIN.sub("", _DIFFERS.sub("", text))
        return response.status_code, location, response.headers.get("content-type"), same


def ask_both(twins: Sequence[RunningTwin], number: int, tallies: Sequence[Tally], start: int) -> None:
    """Send so many requests to the API, and as many to the pages, each to all twins; `start` is the seed.

    Raises AssertionError if a twin fails, does not keep what it said, or answers otherwise than the other.
    """
    contestants = [Contestant(twin, tally) for twin, tally in zip(twins, tallies, strict=True)]
    for calls in (api_calls | good_calls, page_calls):

        @seed(start)
        @examples(number)
        @given(call=calls)
        def answered_alike(call: Call) -> None:
            key = new_key()
            answers = [(contestant, contestant.ask(call, key)) for contestant in contestants]
            if 202 not in [answer.status_code for _, answer in answers]:
                first, *others = [contestant.comparable(answer) for contestant, answer in answers]
                assert others == [first] * len(others), f"{first} and {others}"

        answered_alike()
    for contestant in contestants:
        contestant.close()
