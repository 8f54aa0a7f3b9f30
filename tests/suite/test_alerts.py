"""The rules for Prometheus: they are valid, fire when they should, and name what the running twin really tells."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.running_twin import RunningTwin
from tests.support.scrape import Scrape
from tests.support.user import new_name
from todo_stack.paths import REPOSITORY
from todo_stack.twins import RESTATE

RULES = REPOSITORY / RESTATE.title / "alerts.yml"

ADDS = 'todo_writes_total{{job="web",operation="add_todo",outcome="{}",status="{}"}}'
OK, FAILS, UNKNOWN, REFUSED = (
    ADDS.format(*told) for told in (("ok", 201), ("fail", 503), ("unknown", 503), ("fail", 422))
)
OLDEST, OVERDUE = 'todo_pending_oldest_seconds{job="web"}', 'todo_reminder_overdue_seconds{job="web"}'
PAUSED, FAILING = (f'todo_stuck_calls{{job="web",reason="{reason}"}}' for reason in ("paused", "failing"))
TAKEN, SIZE, OTHER_TAKEN, OTHER_SIZE = (
    f'todo_db_pool_{name}{{job="web",pid="{pid}"}}' for pid in (1, 2) for name in ("checked_out", "size")
)

UP, OTHER_UP = 'up{job="web",instance="a"}', 'up{job="other",instance="b"}'
DATABASE, ITS_RESTATE = (f'todo_up{{job="web",instance="a",part="{part}"}}' for part in ("database", "restate"))

FIRING = {
    "PartDown": [({ITS_RESTATE: "1 0x20", DATABASE: "1x20"}, 3), ({UP: "1 0x20", DATABASE: "1 _x20"}, 3)],
    "WritesFail": [
        ({OK: "0+94x20", FAILS: "0+3x20", UNKNOWN: "0+3x20"}, 12),
        ({FAILS: "0+1x20"}, 12),
    ],
    "WritesWait": [({OLDEST: "0+60x20", OVERDUE: "0x20"}, 4), ({OLDEST: "0x20", OVERDUE: "0+60x20"}, 4)],
    "CallsStuck": [({PAUSED: "0 1x20"}, 7), ({FAILING: "0 2x20"}, 7)],
    "PoolExhausted": [({TAKEN: "8x20", SIZE: "8x20", OTHER_TAKEN: "0x20", OTHER_SIZE: "8x20"}, 3)],
}
"""By alert: the values of each minute, and the minute in which it fires."""

SILENT = {
    "PartDown": [
        ({UP: "1x20", DATABASE: "1x20", ITS_RESTATE: "1 0 1x20"}, 4),
        # A job of somebody else.
        ({OTHER_UP: "0x20", UP: "1x20", DATABASE: "1x20"}, 4),
    ],
    "WritesFail": [
        ({OK: "0+96x20", FAILS: "0+4x20"}, 15),
        # What clients did wrong is not ours.
        ({REFUSED: "0+50x20", OK: "0+50x20"}, 15),
        # It has not lasted for five minutes yet.
        ({OK: "0+94x20", FAILS: "0+6x20"}, 4),
        ({}, 15),
    ],
    "WritesWait": [({OLDEST: "0 60 200 0x20", OVERDUE: "0 60 0x20"}, 3)],
    "CallsStuck": [({PAUSED: "0x20", FAILING: "0x20"}, 15), ({PAUSED: "0 1x2 0 1x20"}, 7)],
    "PoolExhausted": [({TAKEN: "7x20", SIZE: "8x20"}, 15), ({TAKEN: "8x1 7 8x20", SIZE: "8x20"}, 4)],
}


def promtool(*command: str, text: str = "") -> None:
    """Run Prometheus' own tool, which must be content."""
    if not shutil.which("promtool"):
        pytest.skip("there is no promtool on this machine: on Debian, type 'apt install prometheus'")
    program = ["/usr/bin/env", "promtool", *command]
    done = subprocess.run(program, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def cases(alerts: dict[str, list[tuple[dict[str, str], int]]], firing: int) -> list[dict[str, object]]:
    """Return tests, in promtool's words, that this many alerts of each name fire."""
    return [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)',
                    "eval_time": f"{minute}m",
                    "exp_samples": [{"labels": "{}", "value": firing}],
                }
            ],
        }
        for alert, examples in alerts.items()
        for series, minute in examples
    ]


def test_rules_are_valid() -> None:
    """Prometheus takes the file."""
    promtool("check", "rules", str(RULES))


def test_rules_fire_when_they_should(tmp_path: Path) -> None:
    """Each alert fires in its minute, and neither before nor for what is none of its business."""
    assert set(FIRING) == set(SILENT) == set(re.findall(r"alert: (\w+)", RULES.read_text()))
    tests = [*cases(FIRING, 1), *cases(SILENT, 0)]
    file = tmp_path / "tests.yml"
    # JSON is YAML.
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    promtool("test", "rules", str(file))


def test_names_are_told(durable: RunningTwin) -> None:
    """The servers tell each gauge and counter that a rule names, with its labels, and all have names as is usual."""
    durable.add(new_name("told"))
    scrapes = [Scrape(durable.stack.ports.metrics(server.name)) for server in (durable.web, durable.writer)]
    named = set(re.findall(r"\btodo_\w+", RULES.read_text()))
    examples = (
        series for alerts in (FIRING, SILENT) for cases in alerts.values() for case, _ in cases for series in case
    )
    ours = {series for series in examples if series.startswith("todo_")}
    # Prometheus itself adds job and instance.
    labels = {series.partition("{")[0]: set(re.findall(r"(\w+)=", series)) - {"job", "instance"} for series in ours}
    assert named == labels.keys()
    for name in named:
        told = {tuple(sorted(each.labels)) for scrape in scrapes for each in scrape.of(name)}
        assert (name, told) == (name, {tuple(sorted(labels[name]))})
    for scrape in scrapes:
        promtool("check", "metrics", text=scrape.text)


def test_rules_lead_to_what_to_do() -> None:
    """Each alert names its own heading of the page that says what to do."""
    page = RULES.with_name("OPERATIONS.md")
    headings = re.findall(r"^## (\w+)$", page.read_text(), re.MULTILINE)
    runbooks = re.findall(r"alert: (\w+)(?:.*\n)+?.*runbook: (\S+)", RULES.read_text())
    where = page.relative_to(REPOSITORY)
    assert runbooks == [(name, f"{where}#{name.lower()}") for name in headings if name in FIRING]
    assert len(runbooks) == len(FIRING)
