"""Shows a run again: `python -m tests.lab.picture [RESULTS] [PAGE]`, by default the published one without a page."""

from pathlib import Path

import click
from rich.console import Console

from tests.lab.matrix import published
from tests.lab.matrix.records import MatrixRun

from .console import print_run
from .page import render


@click.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=published.PUBLISHED)
@click.argument("page", type=click.Path(dir_okay=False, path_type=Path), required=False)
def main(results: Path, page: Path | None) -> None:
    """Print what a run has found, and draw its page."""
    run = published.read() if results == published.PUBLISHED else MatrixRun.read(results)
    print_run(run, Console())
    if page:
        page.write_text(render(run), encoding="utf-8")


if __name__ == "__main__":
    main()
