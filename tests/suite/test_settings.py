"""Settings: read once, typed, and refused at start with their names."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from flask_todo_restate.settings import ServiceSettings, WebSettings
from todo_shared.settings import SECRET_FOLDERS, DatabaseSettings, Settings, SettingsError, load

GOOD = {"DATABASE_URL": "postgresql://user:secret@db:5432/todos", "SECRET_KEY": "a secret for tests", "PORT": "5040"}


def with_environment(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    """Let the process have just these settings."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_good_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bare URL of PostgreSQL means the driver that is installed; what is not given has a default."""
    with_environment(monkeypatch, GOOD)
    settings = load(Settings)
    assert settings.database_url.drivername == "postgresql+psycopg2"
    assert settings.port == 5040
    assert GOOD["SECRET_KEY"] not in repr(settings)
    assert ":secret@" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "sqlite:///todos.db"),
        ("DATABASE_URL", "postgresql://db:5432"),
        ("DATABASE_URL", "nonsense"),
        ("SECRET_KEY", "short"),
        ("PORT", "http"),
        ("PORT", "70000"),
        ("WEB_THREADS", "0"),
        ("DB_CONNECT_TIMEOUT_SECONDS", "1"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A wrong value is refused with the name of its setting."""
    with_environment(monkeypatch, {**GOOD, name: value})
    with pytest.raises(SettingsError, match=f"^Wrong settings. {name}: "):
        load(Settings)


@pytest.mark.parametrize("name", GOOD)
def test_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A setting without a default that is not given is named."""
    with_environment(monkeypatch, {other: GOOD[other] for other in GOOD if other != name})
    with pytest.raises(SettingsError, match=f"{name}: Field required"):
        load(Settings)


@pytest.mark.parametrize(
    "command",
    [
        ["gunicorn", "--config", "python:todo_shared.gunicorn_conf", "flask_todo.app:create_app()"],
        ["gunicorn", "--config", "python:flask_todo_restate.gunicorn_conf", "flask_todo_restate.app:create_app()"],
        ["flask_todo_restate.restate_server"],
    ],
    ids=["flask-todo", "flask-todo-restate", "service endpoint"],
)
def test_process_ends_with_one_line(command: list[str]) -> None:
    """A process that is started with a wrong setting says so in one line and ends."""
    process = subprocess.run(
        [sys.executable, "-m", *command],
        env={**GOOD, "DB_POOL_SIZE": "many", "WRITE_BUDGET": "-1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert process.returncode == 1
    assert "DB_POOL_SIZE" in process.stderr.strip().splitlines()[-1]
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("kind", [Settings, WebSettings, ServiceSettings])
def test_secrets_may_be_files(kind: type[DatabaseSettings]) -> None:
    """Every process reads the secrets that containers have as files."""
    assert kind.model_config.get("secrets_dir") == SECRET_FOLDERS
