"""Sections as a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.costs.show.tables import Section
from tests.support import page


def render(title: str, answer: Sequence[str], sections: Sequence[Section], facts: Mapping[str, str]) -> str:
    """Return the page: the answer in sentences, the sections, and how it was measured, which are the facts."""
    template = Path(__file__).with_name("page.html.j2")
    return page.render(template, title=title, answer=answer, sections=sections, facts=facts, style="page.css")
