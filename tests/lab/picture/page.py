"""The picture: one HTML file that needs nothing else."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tests.lab.history import Verdict
from tests.lab.matrix.records import MatrixRun
from tests.lab.matrix.rules import CLIENTS
from tests.lab.words import HARM, WORDS, counted

from .findings import findings
from .heatmap import left_out, panels
from .sequences import as_json

_HERE = Path(__file__).parent


def _inline(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of this folder


STYLE = _inline("base.css")
"""What all pages of this repository's measurements look like."""


def render(run: MatrixRun) -> str:
    """Return the page."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    return environment.get_template("compare.html.j2").render(
        run=run,
        twins=findings(run),
        panels=panels(run),
        left_out=left_out(),
        verdicts=list(Verdict),
        harm=HARM,
        words=WORDS,
        clients=CLIENTS,
        counted=counted,
        style=STYLE + _inline("compare.css"),
        script=_inline("sequence.js") + _inline("compare.js"),
        # Nothing in it can end the script element: as_json escapes every "<".
        data=Markup(as_json(run)),  # noqa: S704
    )
