"""Settings: read once, typed, and refused at start with their names."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

from flask_restate.identity import public_key
from flask_todo_restate.settings import ServiceSettings, TodoServiceSettings, WebSettings
from todo_shared.features.outside import OutsideSettings
from todo_shared.models.database import engine_options
from todo_shared.settings import SECRET_FOLDERS, DatabaseSettings, Settings, SettingsError, load

GOOD = {"DATABASE_URL": "postgresql://user:secret@db:5432/todos", "SECRET_KEY": "a secret for tests", "PORT": "5040"}

KEY = "RESTATE_IDENTITY_KEY"

WRONG: list[tuple[type[BaseSettings], str, str]] = [
    *((Settings, "DATABASE_URL", value) for value in ("sqlite:///todos.db", "postgresql://db:5432", "nonsense")),
    *((Settings, "DATABASE_URL", f"postgresql://u@{hosts}/todos") for hosts in ("a,", "a:1,b:x", "a,b:c:1", "a:x")),
    (Settings, "SECRET_KEY", "short"),
    (Settings, "PORT", "http"),
    (Settings, "PORT", "70000"),
    (Settings, "WEB_THREADS", "0"),
    (Settings, "DB_CONNECT_TIMEOUT_SECONDS", "1"),
    (Settings, "LOG_LEVEL", "loud"),
    (Settings, "OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
    (Settings, "LOG_FORMAT", "xml"),
    (Settings, "METRICS_PORT", "0"),
    (OutsideSettings, "OUTSIDE_WORLD_URL", "127.0.0.1:5080"),
    *((OutsideSettings, "WEBHOOK_HOSTS", value) for value in ("a", "http://a:1", "a:x", "a:1;b:2")),
    (OutsideSettings, "MAIL_TO", "nobody"),
    *((Settings, "TRUSTED_HOSTS", value) for value in ("https://todo.example", "a b", "todo.example:443", "*")),
    *((ServiceSettings, KEY, value) for value in ("nonsense", "publickeyv1_abc", "publickeyv1_0OIl")),
    (ServiceSettings, "RESTATE_SERVICE_WORKERS", "0"),
    *(
        (WebSettings, name, value)
        for name in ("RESTATE_ENDPOINT", "RESTATE_ADMIN_URL")
        for value in (
            "",
            " , ",
            "a:8080",
            "http://a,b:8080",
            "http://a:x",
            "http://a b",
            "http://",
            "ftp://a",
            "http://a?b",
        )
    ),
    (TodoServiceSettings, "RETRY_MAX_INTERVAL_SECONDS", "soon"),
]


@pytest.fixture(autouse=True)
def good_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the process have just the settings that have no default."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {**GOOD, KEY: public_key(tmp_path / "identity.pem")}.items():
        monkeypatch.setenv(name, value)


def test_good_settings() -> None:
    """The bare URL of PostgreSQL means the driver that is installed; secrets are not shown."""
    settings = load(Settings)
    assert settings.database_url.drivername == "postgresql+psycopg2"
    assert settings.port == 5040
    assert GOOD["SECRET_KEY"] not in repr(settings)
    assert ":secret@" not in repr(settings)


@pytest.mark.parametrize(
    ("given", "host", "port"),
    [
        ("u:p@a:1,b:2/todos", "a,b", "1,2"),
        ("u:p@a,b:2/todos?target_session_attrs=read-write", "a,b", "5432,2"),
        ("u:p@[::1]:1,[::2]/todos", "::1,::2", "1,5432"),
        ("u:p@/todos?host=a:1&host=b:2", "a,b", "1,2"),
        ("u:p@/todos?host=a,b&port=1,2", "a,b", "1,2"),
        ("u:p%40,@a:1/todos", "a", 1),
        ("u:p,q@a:1/todos", "a", 1),
    ],
)
def test_several_hosts(monkeypatch: pytest.MonkeyPatch, given: str, host: str, port: object) -> None:
    """Several hosts are taken as PostgreSQL writes them and as SQLAlchemy does; a comma elsewhere is just a comma."""
    monkeypatch.setenv("DATABASE_URL", f"postgresql://{given}")
    url = load(Settings).database_url
    _, parameters = url.get_dialect()().create_connect_args(url)
    assert (parameters["dbname"], parameters["user"]) == ("todos", "u")
    assert (parameters["host"], parameters["port"]) == (host, port)


@pytest.mark.parametrize(("kind", "name", "value"), WRONG)
def test_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseSettings], name: str, value: str
) -> None:
    """A wrong value is refused with the name of its setting."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^Wrong settings. {name}: "):
        load(kind)


@pytest.mark.parametrize(("kind", "name"), [*((Settings, name) for name in GOOD), (ServiceSettings, KEY)])
def test_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch, kind: type[BaseSettings], name: str) -> None:
    """A setting without a default that is not given is named."""
    monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match=f"{name}: Field required"):
        load(kind)


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        ("gunicorn --config python:flask_todo.gunicorn_conf flask_todo.app:create_app()", 1),
        ("gunicorn --config python:flask_todo_restate.gunicorn_conf flask_todo_restate.app:create_app()", 1),
        ("flask_todo_restate.restate_server", 1),
        ("hypercorn flask_todo_restate.restate_server:app", 0),  # Its own: it does not look how its worker has ended.
    ],
    ids=["flask-todo", "flask-todo-restate", "service endpoint", "service endpoint by hypercorn"],
)
def test_process_ends_with_one_line(command: str, exit_code: int) -> None:
    """A process that is started with a wrong setting says so in one line and ends."""
    program = [sys.executable, "-m", *command.split()]
    env = {**GOOD, "DB_POOL_SIZE": "many", "WRITE_BUDGET": "-1"}
    process = subprocess.run(program, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == exit_code
    assert "DB_POOL_SIZE" in process.stderr.strip().splitlines()[-1]
    assert "Traceback" not in process.stderr


def test_secrets_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with a setting's name is that setting; the password in it is used to connect, and is not shown."""
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@db:5432/todos")
    (tmp_path / "secret_key").write_text("a secret in a file\n")
    (tmp_path / "database_password").write_text("p@ss/word\n")
    settings = Settings(_secrets_dir=tmp_path)
    assert settings.secret_key.get_secret_value() == "a secret in a file"
    assert engine_options(settings)["connect_args"]["password"] == "p@ss/word"
    assert "word" not in repr(settings.database_password)


def test_secret_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no text, or that this user may not read, is told in one line without what is in it."""

    class WithSecrets(Settings):
        model_config = SettingsConfigDict(**{**Settings.model_config, "secrets_dir": tmp_path})

    (tmp_path / "secret_key").write_bytes(b"a secret \xff\xfe")
    with pytest.raises(SettingsError, match=r'^Wrong settings.*"secret_key".*: not a text file$'):
        load(WithSecrets)

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "secret_key"))

    monkeypatch.setattr(Path, "read_text", refuse)  # Root may read everything.
    with pytest.raises(SettingsError, match=r'^Wrong settings.*"secret_key".*: Permission denied$'):
        load(WithSecrets)


def test_environment_wins_over_files(tmp_path: Path) -> None:
    """A setting in the environment wins over a file."""
    (tmp_path / "secret_key").write_text("a secret in a file")
    assert Settings(_secrets_dir=tmp_path).secret_key.get_secret_value() == GOOD["SECRET_KEY"]


@pytest.mark.parametrize("kind", [Settings, WebSettings, ServiceSettings])
def test_secrets_may_be_files(kind: type[DatabaseSettings]) -> None:
    """Every process reads the secrets that containers have as files."""
    assert kind.model_config.get("secrets_dir") == SECRET_FOLDERS
