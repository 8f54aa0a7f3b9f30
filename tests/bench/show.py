"""Shows a run again from its JSON: `python -m tests.bench.show bench.json --page bench.html`."""

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from tests.bench import page, readme, table
from tests.bench.peers import results as peers
from tests.bench.peers import table as peers_table
from tests.bench.results import Results
from tests.lab.picture.markers import Section

PEERS_SECTION = Section("peers")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, and write the page and the README's figures if they are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.show", description="Show a run of make bench again.")
    parser.add_argument("results", type=Path, nargs="+", help="bench.json of the run; of several the latest is taken")
    parser.add_argument("--peers", type=Path, nargs="*", default=[], help="peers.json; of several the latest is taken")
    parser.add_argument("--page", type=Path, help="write the page here")
    parser.add_argument("--readme", type=Path, help="put the figures between the markers of this file")
    parser.add_argument("--keep", type=Path, help="write the results here")
    parser.add_argument("--keep-peers", type=Path, help="write those of the peers here")
    asked = parser.parse_args(arguments)

    runs = [Results.read(path) for path in asked.results if path.exists()]
    if not runs:
        parser.error("there are no results yet: type make bench")
    results = max(runs, key=lambda run: run.started)
    others = latest_peers(asked.peers)
    ratio = against_dbos(others)
    table.print_summary(results, Console(), ratio)
    if asked.page:
        asked.page.write_text(page.render(results, ratio), encoding="utf-8")
    if asked.keep:
        results.write(asked.keep)
    if asked.readme:
        readme.write(asked.readme, results, ratio)
    if others and asked.keep_peers:
        others.write(asked.keep_peers)
    if others and asked.readme:
        PEERS_SECTION.write(asked.readme, peers_table.render(others))


def latest_peers(paths: Sequence[Path]) -> peers.Results | None:
    """Return the latest run of make bench-peers among these files, if there is one that can still be read."""
    runs = []
    for path in paths:
        # One that was written before something was added to it is none any more.
        with contextlib.suppress(FileNotFoundError, ValidationError):
            runs.append(peers.Results.read(path))
    return max(runs, key=lambda run: run.started, default=None)


def against_dbos(others: peers.Results | None) -> float | None:
    """Return the adds per second of the Restate twin over those of DBOS, if both were measured."""
    return others.throughput_ratio("restate", "dbos") if others else None


if __name__ == "__main__":
    main()
