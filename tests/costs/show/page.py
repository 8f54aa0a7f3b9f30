"""Sections as a page: one HTML file that needs nothing else."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.costs.show.tables import Section

_HERE = Path(__file__).parent


def render(title: str, answer: Sequence[str], sections: Sequence[Section], facts: Mapping[str, str]) -> str:
    """Return the page: the answer in sentences, the sections, and how it was measured, which are the facts."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    page = environment.get_template("page.html.j2")
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    return page.render(title=title, answer=answer, sections=sections, facts=facts, style=style)
