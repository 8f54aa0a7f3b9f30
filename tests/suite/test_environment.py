"""What a server gets of the environment is chosen: variables that libraries obey, set for others, change nothing."""

from pathlib import Path

import pytest
import requests
from sqlalchemy import create_engine, text

from tests.support.running_twin import RunningStack
from tests.support.up import up
from todo_shared.models.database import engine_options
from todo_shared.settings import DatabaseSettings
from todo_stack.description import StackDescription
from todo_stack.environment import inherited
from todo_stack.twins import PLAIN, TWINS

NOBODY = "http://127.0.0.1:9"
"""A proxy that is not there."""

PROXIES = {name: NOBODY for kind in ("HTTP", "HTTPS", "ALL") for name in (f"{kind}_PROXY", f"{kind.lower()}_proxy")}

LIBPQ = {
    "PGCLIENTENCODING": "LATIN1",
    "PGDATABASE": "none",
    "PGHOST": "nowhere.invalid",
    "PGOPTIONS": "--nonsense=1",
    "PGPASSFILE": "/nonexistent",
    "PGPASSWORD": "nonsense",
    "PGPORT": "9",
    "PGSERVICE": "none",
    "PGSSLMODE": "require",
    "PGTARGETSESSIONATTRS": "standby",
    "PGUSER": "somebody",
}

OF_PROGRAMS = {
    "FLASK_APP": "nonsense",
    "FLASK_DEBUG": "1",
    "FLASK_RUN_PORT": "9",
    "FORWARDED_ALLOW_IPS": "*",
    "GUNICORN_CMD_ARGS": "--bind 127.0.0.1:9",
    "PYTHONIOENCODING": "ascii",
    "PYTHONOPTIMIZE": "2",
    "PYTHONSTARTUP": "/nonexistent",
    "PYTHONWARNINGS": "error",
    "RUST_LOG": "trace",
    "SCRIPT_NAME": "/nonsense",
    "WEB_CONCURRENCY": "0",
}

OF_ANOTHER_DATABASE = {
    "DATABASE_PASSWORD": "nonsense",
    "MIGRATION_DATABASE_URL": "postgresql://nowhere.invalid/none",
}

OF_THE_MACHINE = {"LANG": "de_DE@euro", "LC_ALL": "xx_YY.ISO-8859-1", "TZ": "Nowhere/Else"}

IN_LOWER_CASE = {"database_url": "nonsense", "host": "nonsense", "port": "nonsense"}
"""Settings are read in any case, and these are names of other things."""

HOSTILE = {**PROXIES, **LIBPQ, **OF_PROGRAMS, **OF_ANOTHER_DATABASE, **OF_THE_MACHINE, **IN_LOWER_CASE}

TITLE = "Buy 🥛 in Zürich"


@pytest.mark.whole
def test_hostile_environment(tmp_path: Path) -> None:
    """Both twins start, and store what is beyond LATIN1, whatever the shell has set for other programs."""
    for module in ("sitecustomize", "click", "requests"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('this is not for us')")
    with up("both", tmp_path, {**HOSTILE, "PYTHONPATH": str(tmp_path)}) as running:
        for twin in TWINS:
            answer = requests.post(f"{running.ports.web_url(twin)}/api/todos", json={"title": TITLE}, timeout=30)
            assert (answer.status_code, answer.json()["title"]) == (201, TITLE)


def test_only_what_is_chosen_is_inherited() -> None:
    """A server sees settings of ours and of Restate's, and what any program needs; the rest is for others."""
    ours = {
        "LOG_LEVEL": "warning",
        "WRITE_BUDGET": "3",
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "RESTATE_SERVICE_WORKERS": "2",
        "RETRY_MAX_INTERVAL_SECONDS": "1",
    }
    restate = {"RESTATE_WORKER__INVOKER__HTTP_PROXY": NOBODY, "RESTATE_LOG_FORMAT": "json"}
    chosen = {**ours, **restate, "PATH": "/bin", "HOME": "/home/somebody", "LD_PRELOAD": "faketime.so"}
    set_here = {"DATABASE_URL": "x", "PORT": "1", "SECRET_KEY": "x", "RESTATE_ENDPOINT": "x", "OTEL_SERVICE_NAME": "x"}
    assert inherited({**chosen, **HOSTILE, **set_here}) == chosen


@pytest.mark.parametrize("external_database", ["postgresql://somebody@db.example/todos", None])
def test_libpq_for_a_database_of_somebody_else(external_database: str | None) -> None:
    """With the user's own database the variables of libpq count, and with ours they do not."""
    stack = StackDescription(external_database=external_database, environment=LIBPQ)
    assert stack.env("anything", {}) == (LIBPQ if external_database else {})


def test_connection_has_its_own_encoding(stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where libpq's variables count, text is sent as it is all the same, and PGOPTIONS adds to our options."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=5MB")
    settings = DatabaseSettings.model_validate({"database_url": stack.database_url(PLAIN)})
    engine = create_engine(settings.database_url, **engine_options(settings))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT :title"), {"title": TITLE}).scalar_one() == TITLE
        shown = [connection.execute(text(f"SHOW {name}")).scalar_one() for name in ("work_mem", "statement_timeout")]
    engine.dispose()
    assert shown == ["5MB", "5s"]
