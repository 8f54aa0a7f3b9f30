"""The waterfalls of both twins, as a page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.faultlab.legend import LEGEND
from tests.support import page
from tests.support.run_environment import machine, versions
from tests.support.write_path import PACKAGES
from tests.trace.followed import Followed
from tests.trace.picture.waterfall import Scale, rows

WHERE = {
    "client": "client",
    "web": "Flask",
    "restate": "Restate",
    "service": "TodoService",
    "database": "PostgreSQL",
}


def render(both: Sequence[Followed]) -> str:
    """Return the page."""
    on = machine()
    return page.render(
        Path(__file__).with_name("page.html.j2"),
        title="One add, killed after COMMIT, followed from the click",
        answer=[
            "Here the process that writes is killed when PostgreSQL has committed and before it knows,",
            "and each bar, but for the hatched ones, is a span that a process has sent.",
        ],
        facts={
            "started": f"{datetime.now(UTC):%Y-%m-%d %H:%M %Z}",
            "machine": f"{on.system}, {page.counted(on.cores, 'core')}, {on.memory_gib:g} GiB",
            **versions(name for name in (*PACKAGES, "opentelemetry-sdk")),
        },
        style="page.css",
        where=WHERE,
        twins=[_drawn(followed) for followed in both],
    )


def _drawn(followed: Followed) -> dict[str, Any]:
    drawn = rows(followed)
    scale = Scale(drawn, followed.killed)
    began = drawn[0].begin
    return {
        "followed": followed,
        "verdict": LEGEND[followed.verdict],
        "trace_id": followed.spans[0].trace_id,
        "rows": [
            (row, [(scale(bar.begin), round(scale(bar.end) - scale(bar.begin), 3)) for bar in row.bars])
            for row in drawn
        ],
        "quiet": scale.quiet(),
        "killed": scale(followed.killed),
        "killed_ms": f"{(followed.killed - began) / 1e6:,.0f}",
        "seconds": f"{(max(bar.end for row in drawn for bar in row.bars) - began) / 1e9:.1f}",
    }
