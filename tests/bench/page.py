"""The page: one HTML file that needs nothing else."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tests.bench import views, words
from tests.bench.answer import answer
from tests.bench.bars import Linear
from tests.bench.results import Results
from tests.bench.targets import targets
from tests.lab.picture import page as picture

_HERE = Path(__file__).parent


def render(results: Results, against_dbos: float | None = None) -> str:
    """Return the page; `against_dbos` as in targets."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters |= {"figure": words.figure, "times": words.times}
    return environment.get_template("bench.html.j2").render(
        results=results,
        answers=answer(results),
        targets=targets(results, against_dbos),
        panels=views.panels(results),
        open_loop=views.open_loop(results),
        usage=views.usage(results),
        usage_table=views.usage_table(results),
        waterfalls=views.waterfalls(results),
        recoveries=views.recoveries(results),
        Linear=Linear,
        names=words.NAMES,
        short=words.SHORT,
        places=words.PLACES,
        TIMES=words.TIMES,
        described=words.described,
        style=picture.STYLE + Markup((_HERE / "bench.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
    )
