"""Shows a run again from its results.json: `python -m tests.lab.picture results.json --page compare.html`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from . import page, readme, table
from .results import Results


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and write the page and the README's table if they are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.picture", description="Show a run of the matrix again.")
    parser.add_argument("results", type=Path, nargs="+", help="results.json of the run; of several the latest is taken")
    parser.add_argument("--page", type=Path, help="write the page here")
    parser.add_argument("--readme", type=Path, help="put the table between the markers of this file")
    parser.add_argument("--keep", type=Path, help="write the results without their time lines here")
    asked = parser.parse_args(arguments)

    runs = [Results.read(path) for path in asked.results if path.exists()]
    if not runs:
        parser.error("there are no results yet: type make compare")
    results = max(runs, key=lambda run: run.started)
    table.print_summary(results, Console())
    if asked.page:
        asked.page.write_text(page.render(results), encoding="utf-8")
    if asked.keep:
        results.without_time_lines().write(asked.keep)
    if asked.readme:
        readme.write(asked.readme, results)


if __name__ == "__main__":
    main()
