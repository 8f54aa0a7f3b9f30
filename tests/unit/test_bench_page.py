"""The page, the terminal and the README say what the results of make bench say, and nothing is fixed in advance."""

import io
import re
from itertools import pairwise
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from rich.console import Console

from tests.bench import bars, page, readme, show, table, views
from tests.bench.results import Latency, Results, Spread
from tests.bench.targets import targets
from tests.bench.words import NONE, TIMES, figure
from tests.lab.picture.markers import NoMarkersError
from tests.unit.made_up_bench import made_up


@pytest.fixture(scope="module")
def results() -> Results:
    """Results that no run has found."""
    return made_up()


@pytest.fixture(scope="module")
def document(results: Results) -> BeautifulSoup:
    """Their page."""
    return BeautifulSoup(page.render(results, 1.7), "html.parser")


def cells(document: BeautifulSoup, section: str) -> list[list[str]]:
    """Return the texts of the rows of a section, by its heading's id."""
    found = document.select_one(f"section[aria-labelledby={section}]")
    assert found is not None
    return [
        [cell.get_text(" ", strip=True) for cell in row.select("th, td:not(.wide)")] for row in found.select("tbody tr")
    ]


def test_targets(results: Results, document: BeautifulSoup) -> None:
    """Each target is in the page with its figure and its verdict."""
    rows = cells(document, "targets")
    assert [row[:3] for row in rows] == [[t.what, t.target, t.measured] for t in targets(results, 1.7)]
    assert [row[3].split(maxsplit=1)[1] for row in rows] == [target.verdict for target in targets(results, 1.7)]


def test_closed_loops(results: Results, document: BeautifulSoup) -> None:
    """Each contestant has a line for each operation and number of clients, with its figures."""
    rows = cells(document, "closed")
    assert len(rows) == len(results.closed)
    throughputs = {one for row in rows for one in row}
    assert {figure(one.per_second.median) for one in results.closed} <= throughputs
    assert {figure(one.latency_ms.p50) for one in results.closed} <= throughputs
    assert NONE in throughputs
    shown = " ".join(throughputs)
    assert all(f"{figure(r.throughput.median)} {TIMES} {figure(r.throughput.low)}" in shown for r in results.ratios)


def test_open_loops(results: Results, document: BeautifulSoup) -> None:
    """A dot stands for each percentile that there is."""
    assert len(cells(document, "open")) == len(results.open)
    dots = document.select("section[aria-labelledby=open] circle")
    assert len(dots) == sum(value is not None for o in results.open for value in o.latency_ms.model_dump().values())


def test_usage(results: Results, document: BeautifulSoup) -> None:
    """What all servers take together is in the page, and server by server."""
    text = document.get_text(" ", strip=True)
    for twin in ("basic", "restate"):
        used = [one for one in results.usage if one.contestant == twin]
        assert f"{figure(sum(one.cpu_ms for one in used))} ms" in text
        assert f"{figure(sum(one.fsyncs or 0 for one in used))}" in text
    assert [row[1] for row in cells(document, "usage")[-6:]] == [one.server for one in results.usage]


def test_waterfalls(results: Results, document: BeautifulSoup) -> None:
    """Each stretch has its line, and the page says by how much their sum differs from the total."""
    hops = [hop for one in results.waterfalls for hop in one.hops]
    rows = cells(document, "waterfall")
    assert [row[1:] for row in rows] == [[hop.where, f"{hop.milliseconds:.2f}"] for hop in hops]
    assert rows[1][0] == "route <add> made up & short"
    assert document.get_text(" ").count("-2.9 % of the total") == 2


def test_stretches_follow_one_another(results: Results) -> None:
    """A bar begins where the one before ends, and the total of the slowest fills the scale, nearly: sums differ."""
    falls = views.waterfalls(results)
    for one in falls:
        places = [bar for _, bar in one.lines]
        assert places[0].start == 0
        for before, after in pairwise(places):
            assert after.start == pytest.approx(before.start + before.width, abs=0.02)
    assert max(one.total.width for one in falls) == 100


def test_recovery(results: Results, document: BeautifulSoup) -> None:
    """Each outage has its line; those that took too long are marked."""
    rows = cells(document, "recovery")
    assert len(rows) == len(results.recoveries)
    late = [one for one in results.recoveries if one.applied_after_seconds >= 1]
    assert len(document.select("rect.c-late")) == len(late) > 0
    assert not document.select(".harm")
    first = results.recoveries[0].model_copy(update={"lost": 3})
    html = page.render(results.model_copy(update={"recoveries": [first]}))
    assert [mark.text for mark in BeautifulSoup(html, "html.parser").select(".harm")] == ["3"]


def test_growth(results: Results, document: BeautifulSoup) -> None:
    """Every run with more processes, rows or journals has its line."""
    rows = cells(document, "growth")
    assert len(rows) == len(results.workers) + len(results.rows) + len(results.journals)
    assert "1,000,000" in rows[len(results.workers) + 2]


def test_part_of_a_run(results: Results) -> None:
    """What was not measured has no section, and its targets say so."""
    part = Results(started=results.started, seconds=1, machine=results.machine, versions={})
    document = BeautifulSoup(page.render(part), "html.parser")
    assert [section["aria-labelledby"] for section in document.select("main > section")] == ["targets", "how"]
    assert document.get_text().count("not measured") == 8
    for only in ("closed", "open", "usage", "waterfalls", "recoveries", "drain", "workers", "rows", "journals"):
        page.render(part.model_copy(update={only: getattr(results, only)}))


def test_self_contained(results: Results) -> None:
    """The page refers to nothing outside itself, and what it was given cannot become markup."""
    html = page.render(results)
    assert "http://" not in html
    assert "https://" not in html
    document = BeautifulSoup(html, "html.parser")
    assert not document.select("link:not([href='data:,']), img, iframe, script, add, on")
    ids = [str(tag["id"]) for tag in document.select("[id]")]
    assert len(ids) == len(set(ids))
    for section in document.select("section"):
        assert section["aria-labelledby"] in ids


def test_well_formed(results: Results) -> None:
    """Each element that is opened is closed, in order, and each row of a table has as many cells as its head."""
    html = re.sub(r"<style\b.*?</style>", "", page.render(results), flags=re.DOTALL)
    opened: list[str] = []
    for closing, name, end in re.findall(r"<(/?)(!?[a-z]+[0-9]?)\b(?:[^<>\"]|\"[^\"]*\")*?(/?)>", html):
        if closing:
            assert opened.pop() == name
        elif not end and name not in {"meta", "link", "br", "!doctype"}:
            opened.append(name)
    assert not opened
    for tabular in BeautifulSoup(html, "html.parser").select("table:has(thead)"):
        width = len(tabular.select("thead th"))
        left: list[int] = []
        for row in tabular.select("tbody tr"):
            found = row.select("th, td")
            assert len(found) + sum(rows > 0 for rows in left) == width
            spans = [int(str(cell.get("rowspan", "1"))) for cell in found]
            left = [rows - 1 for rows in left if rows > 1] + [span - 1 for span in spans if span > 1]


def test_scales() -> None:
    """The largest value fills a linear scale, and a power of ten is as far as another on the other one."""
    linear = bars.Linear([2, 8])
    assert (linear.at(0), linear.at(2), linear.at(8)) == (0, 25, 100)
    assert linear.bar_of(Spread(median=4, low=2, high=8), "x") == bars.Bar("x", 0, 50, 25, 100)
    assert bars.Linear([]).at(0) == 0
    logarithmic = bars.Logarithmic([3, 40, 700])
    assert [(tick.at, tick.label) for tick in logarithmic.ticks] == [
        (0, "1"),
        (33.33, "10"),
        (66.67, "100"),
        (100, "1000"),
    ]
    assert [dot.label for dot in logarithmic.dots(Latency(p50=3, p90=None, p99=40, p999=None))] == ["p50", "p99"]


def terminal(results: Results) -> str:
    """Return what is printed for these results."""
    console = Console(file=io.StringIO(), width=200)
    table.print_summary(results, console, 1.7)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_terminal(results: Results) -> None:
    """The terminal has the throughput of each contestant, each stretch, each outage and each target."""
    text = terminal(results)
    assert all(figure(one.per_second.median) in text for one in results.closed)
    assert all(hop.name in text for one in results.waterfalls for hop in one.hops)
    assert all(f"{figure(one.applied_after_seconds)} s" in text for one in results.recoveries)
    assert all(target.what in text and target.measured in text for target in targets(results, 1.7))


def test_readme(results: Results, tmp_path: Path) -> None:
    """The README's figures are put between their markers, touch nothing else, and are stale after another run."""
    path = tmp_path / "README.md"
    path.write_text(f"# Title\n\n{readme.SECTION.begin}\nold\n{readme.SECTION.end}\n\nThe rest.\n")
    assert not readme.is_current(path, results, 1.7)
    readme.write(path, results, 1.7)
    assert readme.is_current(path, results, 1.7)
    text = path.read_text()
    assert text.startswith(f"# Title\n\n{readme.SECTION.begin}\n| what |")
    assert text.endswith(f"{readme.SECTION.end}\n\nThe rest.\n")
    readme.write(path, results, 1.7)
    assert path.read_text() == text
    assert not readme.is_current(path, results, 1.8)
    assert not readme.is_current(path, made_up(2), 1.7)


def test_readme_tables(results: Results) -> None:
    """Every row of each table has as many cells as its head, and the machine and the day are told."""
    text = readme.render(results, 1.7)
    blocks = [block.splitlines() for block in text.split("\n\n")]
    tables = [block for block in blocks if block[0].startswith("|")]
    assert len(tables) == 8
    for rows in tables:
        assert len({row.count("|") for row in rows}) == 1
    assert len(tables[1]) == 2 + len(results.ratios)
    assert "on 2026-01-02 on made-up system, 2 cores, 4 GiB, with PostgreSQL 0.1-made-up" in text
    assert "1,000 operations that had waited were applied in" in text


def test_readme_of_part(results: Results) -> None:
    """A run without a part has no empty table for it."""
    part = results.model_copy(update={"ratios": [], "waterfalls": [], "recoveries": [], "drain": None, "rows": []})
    assert len(re.findall(r"^\|-", readme.render(part), flags=re.MULTILINE)) == 3


def test_shown_again(results: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the latest of several runs all that shows it can be made again, and it can be kept."""
    older, newer, kept = tmp_path / "older.json", tmp_path / "newer.json", tmp_path / "kept.json"
    results.model_copy(update={"started": results.started.replace(year=2025)}).write(older)
    results.write(newer)
    html, text = tmp_path / "bench.html", tmp_path / "README.md"
    text.write_text(f"{readme.SECTION.begin}\n{readme.SECTION.end}\n")
    paths = [str(newer), str(older), str(tmp_path / "none.json")]
    show.main([*paths, "--page", str(html), "--readme", str(text), "--keep", str(kept)])
    assert html.read_text() == page.render(results)
    assert readme.is_current(text, results)
    assert Results.read(kept) == results
    assert "Targets" in capsys.readouterr().out


def test_nothing_to_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without any run the message says what to type."""
    with pytest.raises(SystemExit):
        show.main([str(tmp_path / "none.json")])
    assert "type make bench" in capsys.readouterr().err


def test_readme_without_place(results: Results, tmp_path: Path) -> None:
    """A README without the markers is left alone."""
    path = tmp_path / "README.md"
    path.write_text("# Title\n")
    with pytest.raises(NoMarkersError, match="<!-- bench -->"):
        readme.write(path, results)
    assert path.read_text() == "# Title\n"
