"""The picture: one HTML file that needs nothing else."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tests.lab.history import Verdict

from .answer import answer, price_lines, price_sentence
from .heatmap import impossible, panels
from .results import CLIENTS, Results
from .timeline import as_json
from .words import HARM, WORDS, plain, times

_HERE = Path(__file__).parent


def _inline(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of this folder


STYLE = _inline("base.css")
"""What all pages of this repository's measurements look like."""


def render(results: Results) -> str:
    """Return the page."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    return environment.get_template("compare.html.j2").render(
        results=results,
        answers=answer(results),
        price=price_lines(results),
        price_sentence=price_sentence(results),
        panels=panels(results),
        impossible=impossible(results),
        verdicts=list(Verdict),
        harm=HARM,
        words=WORDS,
        clients=CLIENTS,
        plain=plain,
        times=times,
        style=STYLE + _inline("compare.css"),
        script=_inline("compare.js"),
        # Nothing in it can end the script element: as_json escapes every "<".
        data=Markup(as_json(results)),  # noqa: S704
    )
