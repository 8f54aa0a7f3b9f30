"""The terminal and the READMEs say the same as the page."""

import io
from collections import Counter

import pytest
from rich.console import Console

from tests.faultlab.legend import LEGEND, Share
from tests.faultlab.matrix.records import MatrixRun
from tests.faultlab.matrix.rules import CLIENTS
from tests.faultlab.picture import markdown
from tests.faultlab.picture.console import print_run
from tests.faultlab.picture.made_up import made_up_run
from tests.support.history import Verdict
from todo_stack.twins import TWINS


def printed(run: MatrixRun) -> str:
    """Return what is printed of a run on a terminal of 80 columns."""
    output = io.StringIO()
    print_run(run, Console(file=output, width=80))
    return output.getvalue()


def rows(text: str, name: str) -> list[list[str]]:
    """Return the other columns of the rows that begin with this name."""
    found = [[cell.strip(" *") for cell in line.strip("│|").split(line[:1])] for line in text.splitlines() if line]
    return [columns for heading, *columns in found if heading == name]


@pytest.mark.parametrize("as_expected", [True, False])
def test_nothing_is_shortened_in_80_columns(as_expected: bool) -> None:
    """In 80 columns all names are whole, and an unexpected cell comes with its command on one line."""
    run = made_up_run(2, as_expected=as_expected)
    text = printed(run)
    assert "…" not in text
    assert {cell.command for cell in run.unexpected} <= {line.strip() for line in text.splitlines()}
    assert ("verdicts is as predicted" in text) == as_expected


@pytest.mark.parametrize("verdict", Verdict)
def test_counts(verdict: Verdict) -> None:
    """Both have the number of each verdict and its share, per twin and behaviour of the client."""
    run = made_up_run()
    tried = Counter((cell.twin, cell.client) for cell in run.cells)
    came_to = Counter((cell.twin, cell.client) for cell in run.cells if cell.verdict is verdict)
    expected = [
        [str(Share(came_to[twin.key, client], tried[twin.key, client])) for client in CLIENTS] for twin in TWINS
    ]
    assert [columns[:-1] for columns in rows(printed(run), verdict.value)] == expected
    ((_, _, *columns),) = rows(markdown.verdicts(run), f"{LEGEND[verdict].symbol} {verdict.value}")
    assert columns == [share for of_twin in expected for share in of_twin]


@pytest.mark.parametrize(
    ("number", "total", "percent"),
    [(0, 5, "0 %"), (1, 3, "33 %"), (5, 5, "100 %"), (1, 1000, "1 %"), (999, 1000, "99 %"), (0, 0, "0 %")],
)
def test_percent(number: int, total: int, percent: str) -> None:
    """Only none is 0 % and only all is 100 %."""
    assert Share(number, total).percent == percent


def test_markdown_tells_what_was_run() -> None:
    """The reasons of the harms come with a command, and the rest with date, versions and seed."""
    run = made_up_run()
    assert markdown.harms(run).count("See one: `make compare ONLY=") == 8 * 3
    assert "Run on 2026-01-02 with PostgreSQL 0.1-made-up" in markdown.measured(run)
    assert f"| {run.cells[0].fault} |" in markdown.verdicts_by_fault(run)
