"""Draws requests at random: good ones, of which some then get something odd."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from urllib.parse import quote, urlencode

from tests.fuzz.calls import BAD_KEYS, ODD_NUMBERS, ODD_TEXTS
from tests.fuzz.drafts import ODDITIES, TYPES, Draft, cut

_GOOD = list(
    zip(
        *[
            ((b"POST", b"/api/todos", "json"), 20),
            ((b"PATCH", b"/api/todos/ID", "json"), 12),
            ((b"DELETE", b"/api/todos/ID", ""), 8),
            ((b"DELETE", b"/api/todos", ""), 2),
            ((b"GET", b"/api/todos", ""), 10),
            ((b"GET", b"/api/todos/ID", ""), 10),
            ((b"OPTIONS", b"/api/todos/ID", ""), 2),
            ((b"HEAD", b"/api/todos/ID", ""), 2),
            ((b"GET", b"/api/operations/x", ""), 2),
            ((b"GET", b"/", ""), 6),
            ((b"GET", b"/readyz", ""), 2),
            ((b"POST", b"/add", "form"), 10),
            ((b"POST", b"/add", "file"), 2),
            ((b"POST", b"/update/ID", "form"), 8),
            ((b"POST", b"/delete/ID", "form"), 4),
        ],
        strict=True,
    )
)
"""What clients ask for, and how often."""


@dataclass
class Drafts:
    """An endless source of requests of one client."""

    random: Random
    host: str
    cookie: str
    """With a session that `token` is of, so that forms are accepted."""
    token: str
    last_id: str = "1"
    """Of a todo that this client has added, for requests about one."""

    def __iter__(self) -> Iterator[Draft]:
        while True:
            draft = self._good()
            oddities = self.random.choices(ODDITIES, k=self.random.choice((0, 0, 0, 1, 1, 2)))
            for oddity in oddities:
                oddity(draft, self.random)
            draft.torn = oddities == [cut] and draft.written != draft.body
            yield draft

    def _good(self) -> Draft:
        method, target, kind = self.random.choices(*_GOOD)[0]
        headers = [(b"Host", self.host.encode()), (b"User-Agent", b"fuzz")]
        body = b""
        if kind == "json":
            body = self._json()
            key = self.random.choice((*BAD_KEYS, *[f"{self.random.getrandbits(64):x}"] * 20))
            headers += [(b"Content-Type", b"application/json"), (b"Idempotency-Key", key.encode("latin-1"))]
        elif kind == "form":
            body = self._form().encode()
            headers += [(b"Content-Type", TYPES[1].encode()), (b"Cookie", self.cookie.encode())]
        elif kind == "file":
            parts = ((b'"csrf_token"', self.token.encode()), (b'"task"; filename="x"', b"\x00\xff"))
            part = b"--b\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n"
            body = b"".join(part % name_and_value for name_and_value in parts) + b"--b--\r\n"
            headers += [(b"Content-Type", TYPES[2].encode()), (b"Cookie", self.cookie.encode())]
        if body or method in (b"POST", b"PATCH"):
            headers.append((b"Content-Length", b"%d" % len(body)))
        return Draft(method, target.replace(b"ID", self.last_id.encode()), headers, body)

    def _text(self) -> str:
        if self.random.random() < 0.7:
            return "".join(self.random.choices("abc \u00e9\u4e2d\U0001f600", k=self.random.randrange(1, 20)))
        return self.random.choice(ODD_TEXTS) * self.random.choice((1, 1, 3, 100, 201))

    def _json(self) -> bytes:
        members: dict[str, object] = {"title": self._text()}
        if self.random.random() < 0.3:
            members["order"] = self.random.choice((*ODD_NUMBERS, 1, 2, 3, None, "1"))
        if self.random.random() < 0.3:
            members["completed"] = self.random.choice((True, False, True, False, None, 1, "true"))
        if self.random.random() < 0.1:
            members[self._text()] = [members.copy()] * 3
        return json.dumps(members, ensure_ascii=self.random.random() < 0.5).encode(errors="surrogatepass")

    def _form(self) -> str:
        fields = {"csrf_token": self.token, "task": self._text(), "completed": self.random.choice(("true", "x", ""))}
        dropped = self.random.choice(("task", "completed", "completed", "csrf_token", ""))
        kept = [(name, value) for name, value in fields.items() if name != dropped]
        return urlencode(kept, errors="surrogatepass", quote_via=quote)
