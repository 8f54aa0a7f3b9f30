"""The way that a write takes, for the strip at the foot of each page; and pages that a script fetches again."""

import functools
import hashlib
import re
from dataclasses import dataclass

from flask import Flask, Response, request
from markupsafe import Markup

from todo_shared.markup import hidden_fields, icon, rows
from todo_shared.models.database import outage

# What is new each time that a page is made.
_NEW = re.compile(rb'(name="(?:csrf_token|request_id)"[^>]* value=")[^"]*')


@dataclass(frozen=True)
class Hop:
    """A part that a write passes through."""

    name: str
    works: bool | None
    """As of the last time that this process needed it, or /readyz asked; None if that is not known."""
    link: str = ""
    """Where people can look at it."""

    @property
    def state(self) -> str:
        """Whether it works, as a word."""
        return "unknown" if self.works is None else "works" if self.works else "fails"


def is_fetched_again() -> bool:
    """Return whether a script fetches this page, which a person has open, to see what has changed."""
    return "If-None-Match" in request.headers


def register(app: Flask) -> None:
    """Give the pages a strip, and let a script fetch them again."""
    plain = [Hop("Flask", works=True)]

    @functools.lru_cache(maxsize=100)
    def strip(*hops: Hop) -> Markup:
        """Return the strip, which is made once for each state of the way."""
        return Markup(app.jinja_env.get_template("_way.html").render(hops=hops))  # noqa: S704 - it is a template's

    app.jinja_env.globals.update(
        way=lambda: [*plain, Hop("PostgreSQL", works=outage.works)],
        strip=strip,
        waiting=lambda *_: None,
        is_fetched_again=is_fetched_again,
        icon=icon,
        hidden_fields=hidden_fields,
        rows=rows,
    )

    @app.after_request
    def tell_if_nothing_has_changed(response: Response) -> Response:
        if (
            is_fetched_again()
            and request.method == "GET"
            and response.status_code == 200
            and not response.direct_passthrough
        ):
            same = _NEW.sub(rb"\1", response.get_data())
            # Weak: another token or id is no other page. Flask-Compress leaves such a one as it is.
            response.set_etag(hashlib.sha256(same).hexdigest()[:32], weak=True)
            response.make_conditional(request)
        return response
