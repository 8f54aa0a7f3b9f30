"""Hypothesis strategies for requests to the API and to the pages, good and bad."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from hypothesis import strategies as st

ODD_TEXTS = (
    "",
    " ",
    "\u00a0",
    "\u200b",
    "\ufeff",
    "\u3164",
    "\x00",
    "a\nb",
    "\x7f",
    "\ud800",
    "\U0001f600",
    "e\u0301",
    "\u202eodd",
    "<b>&amp;",
    "'; DROP TABLE todo; --",
    "{{ 7 * 7 }}",
    "%s %(x)s",
    "../..",
    "\u0130",
    "\ufffe",
)
ODD_NUMBERS = (0, -1, 1.5, 2**31 - 1, -(2**31), 2**31, 2**63, 10**30, float("nan"), float("inf"), 1e400, True)
BAD_KEYS = ("", "a b", "\u00e9", "x" * 256)
KEY, TOKEN, KEPT = "{key}", "{token}", "{kept}"
"""Filled in when a request is sent: a new key, a token of the session, and the id of the todo that is there."""


@dataclass(frozen=True)
class Call:
    """A request, the same to both twins but for what is filled in."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def filled(self, **values: str) -> "Call":
        """Return it with these values in place of their names in braces."""

        def fill(text: str) -> str:
            for name, value in values.items():
                text = text.replace(f"{{{name}}}", value)
            return text

        body = fill(self.body.decode("latin-1")).encode("latin-1")
        return Call(self.method, fill(self.path), body, {name: fill(value) for name, value in self.headers.items()})


texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(ODD_TEXTS),
    st.builds(
        lambda text, times: text * times, st.sampled_from(("x", " x", "\U0001f600", "e\u0301")), st.integers(98, 202)
    ),
    st.builds(lambda blank, text: f"{blank}{text}{blank}", st.sampled_from((" ", "\u3000", "\t")), st.text(max_size=5)),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(ODD_NUMBERS) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


def _mostly(good: st.SearchStrategy[Any], other: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 4).flatmap(lambda dice: other if dice == 0 else good)


members = st.fixed_dictionaries(
    {},
    optional={
        "title": _mostly(texts, values),
        "order": _mostly(st.none() | st.integers(-(2**31), 2**31 - 1), values),
        "completed": _mostly(st.booleans(), values),
        "id": scalars,
        "url": scalars,
        "other": values,
    },
)


def _written(value: object) -> bytes:
    return json.dumps(value).encode()


bodies = st.one_of(
    members.map(_written),
    members.filter(lambda given: "title" in given).map(_written),
    values.map(_written),
    st.builds(lambda whole, end: _written(whole)[:end], members, st.integers(0, 40)),
    st.binary(max_size=20),
)
todo_ids = _mostly(st.just(KEPT), st.sampled_from(("0", "-1", "1", "x", "1.0", "+1", "%20", str(2**31), str(10**30))))
headers = st.fixed_dictionaries(
    {
        "Content-Type": _mostly(
            st.just("application/json"),
            st.sampled_from(
                (
                    "",
                    "text/plain",
                    "application/json; charset=utf-8",
                    "application/json; charset=x",
                    "application/x+json",
                    "application/x-www-form-urlencoded",
                    "application/json, text/html",
                )
            ),
        )
    },
    optional={
        "Idempotency-Key": _mostly(st.just(KEY), st.sampled_from(BAD_KEYS)),
        "Accept": st.sampled_from(("application/json", "text/html", "x", "*/*;q=0")),
        "Origin": st.sampled_from(("http://elsewhere.example", "null", "x")),
    },
)
_ONE = todo_ids.map("/api/todos/{}".format)
api_calls = st.one_of(
    st.builds(Call, st.sampled_from(("PATCH", "PATCH", "DELETE", "GET")), _ONE, bodies, headers),
    st.builds(Call, st.sampled_from(("POST", "POST", "DELETE", "GET")), st.just("/api/todos"), bodies, headers),
    st.builds(
        Call,
        st.sampled_from(("POST", "PATCH", "PUT", "HEAD", "OPTIONS")),
        _ONE | st.just("/api/todos"),
        bodies,
        headers,
    ),
)
good_calls = st.builds(
    Call,
    st.just("POST"),
    st.just("/api/todos"),
    st.fixed_dictionaries({"title": texts}, optional={"order": st.integers(-(2**31), 2**31 - 1)}).map(_written),
    st.just({"Content-Type": "application/json", "Idempotency-Key": KEY}),
)


def _form(fields: list[tuple[str, str]]) -> bytes:
    # The names in braces must stay readable.
    return urlencode(fields, safe="{}", errors="surrogatepass").encode()


def _field(
    name: str, good: st.SearchStrategy[str], bad: st.SearchStrategy[str]
) -> st.SearchStrategy[list[tuple[str, str]]]:
    once = st.tuples(st.just(name), _mostly(good, bad)).map(lambda pair: [pair])
    return _mostly(once, st.lists(st.tuples(st.just(name), bad), max_size=2))


form_bodies = st.tuples(
    _field("csrf_token", st.just(TOKEN), st.sampled_from(("", "x"))),
    _field("request_id", st.just(KEY), st.sampled_from(("", "x", "0" * 31))),
    _field("task", texts, texts),
    _field("completed", st.sampled_from(("true", "false", "on", "0")), texts) | st.just([]),
).map(lambda parts: _form([pair for part in parts for pair in part]))
form_paths = st.just("/add") | st.builds("/{}/{}".format, st.sampled_from(("update", "delete")), todo_ids)
page_calls = st.builds(
    Call,
    _mostly(st.just("POST"), st.just("GET")),
    _mostly(form_paths, st.just("/") | st.sampled_from(("/?page=0", "/?page=x", "/?page=-1", "/?page=1", "/nowhere"))),
    form_bodies | st.binary(max_size=20),
    st.just({"Content-Type": "application/x-www-form-urlencoded"}),
)
