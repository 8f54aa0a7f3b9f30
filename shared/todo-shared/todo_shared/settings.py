"""Settings of the web applications, read from the environment once at start."""

import logging
import os
import re
from typing import Annotated, Literal, Self, TypeVar

import pydantic_settings
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from todo_shared.hosts import split_hosts

SECRET_FOLDERS = [folder for folder in ("/run/secrets", "/run/identity") if os.access(folder, os.R_OK | os.X_OK)]
"""Where containers keep secrets: a file named like a setting holds its value, unless the environment has one."""

DEVELOPMENT = "for development only"
"""The secrets in this repository begin so."""

log = logging.getLogger(__name__)

AnySettings = TypeVar("AnySettings", bound=BaseSettings)


SEVERAL_HOSTS = re.compile(
    r"(?P<before>[^/]*//(?:[^/?]*@)?)(?P<hosts>[^@/?]*,[^@/?]*)(?P<after>(?:[/?].*)?)", re.DOTALL
)
ORIGIN = re.compile(r"\*|https?://[A-Za-z0-9.-]+(?::\d+)?")
HOST = re.compile(r"(?:\[(?P<ipv6>[^]]+)\]|(?P<name>[^][:]+))(?::(?P<port>\d+))?")


def parse_database_url(value: object) -> URL:
    """Parse a PostgreSQL URL. The bare `postgresql://` of the article means the psycopg2 driver here.

    Several hosts may be given as PostgreSQL's own programs take them, `host1:port1,host2:port2`, or as SQLAlchemy does.
    """
    if isinstance(value, URL):
        return value
    try:
        url = _url_of_several_hosts(str(value)) or make_url(str(value))
        url.set(drivername="postgresql+psycopg2").get_dialect()().create_connect_args(url)
    except (ArgumentError, ValueError):
        # Not repeated here: there may be a password in it.
        raise ValueError("not a database URL: postgresql://user:password@host:port/database") from None
    if "@" in str(url.host):
        raise ValueError("a password with @, : or / must be percent-encoded, such as %40 for @")
    if url.get_backend_name() not in ("postgresql", "postgres") or not url.database:
        raise ValueError("must be a PostgreSQL URL that names a database: postgresql://user@host:port/database")
    return url.set(drivername="postgresql+psycopg2")


def _url_of_several_hosts(value: str) -> URL | None:
    """Parse `postgresql://host1:port1,host2:port2/database`, PostgreSQL's own form; return None for any other.

    Raises ValueError: a host or port is none.
    """
    several = SEVERAL_HOSTS.fullmatch(value)
    if not several:
        return None
    hosts = [HOST.fullmatch(host) for host in several["hosts"].split(",")]
    if not all(hosts):
        raise ValueError("not a list of hosts")
    names = ",".join(host["ipv6"] or host["name"] for host in hosts if host)
    ports = ",".join(host["port"] or "5432" for host in hosts if host)
    return make_url(several["before"] + several["after"]).update_query_dict({"host": names, "port": ports})


def _split_origins(value: object) -> object:
    origins = tuple(value.replace(",", " ").split()) if isinstance(value, str) else value
    # What is more than that, Flask-CORS takes for a regular expression.
    if isinstance(origins, tuple) and not all(ORIGIN.fullmatch(origin) for origin in origins):
        raise ValueError("* or origins, such as https://app.example.org, separated by commas")
    return origins


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class SettingsError(SystemExit):
    """A setting is missing or wrong. If nothing catches this, it ends the program with a message that names it."""


class DatabaseSettings(BaseSettings):
    """What every process that uses the database reads. A setting's name is its field's name in upper case."""

    model_config = SettingsConfigDict(arbitrary_types_allowed=True, frozen=True, secrets_dir=SECRET_FOLDERS)

    database_url: Annotated[URL, NoDecode, BeforeValidator(parse_database_url)]
    """The database that holds the todos."""

    database_password: SecretStr | None = None
    """The password, if the URL does not contain it."""

    db_pool_size: int = Field(default=8, ge=1, le=256)
    """Connections per process: one for each thread that can use one."""

    db_pool_timeout_seconds: float = Field(default=5, gt=0)
    """How long a request waits for a free connection before it fails."""

    db_connect_timeout_seconds: int = Field(default=3, ge=2)
    """How long connecting may take. libpq accepts nothing under 2 s."""

    db_statement_timeout_seconds: float = Field(default=5, ge=0.1)
    """PostgreSQL cancels longer statements. Ours take milliseconds, unless they meet a lock or a failing disk."""

    db_silence_timeout_seconds: int = Field(default=8, ge=2)
    """Give up a connection when the server has not answered for this long. Keepalives find a dead peer as fast."""

    session_cookie_secure: bool = False
    """Set this where the application is served over HTTPS."""

    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"

    log_format: Annotated[Literal["text", "json"] | None, BeforeValidator(_lower)] = None
    """By default text where people watch, on a terminal, and JSON elsewhere: see todo_shared.logs."""

    otel_exporter_otlp_endpoint: str = Field(default="", pattern="^(https?://.*)?$")
    """Where traces are sent, as OTLP over HTTP, such as http://127.0.0.1:4318; without it none are made."""

    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Where Prometheus scrapes /metrics; without it nothing is measured."""

    metrics_host: str = "127.0.0.1"
    """Address to listen on for that. It is for nobody else: only containers need another one."""

    @model_validator(mode="after")
    def refuse_development_secrets(self) -> Self:
        """Refuse the secrets of this repository, which everybody knows, where the application is served over HTTPS."""
        secrets = {
            name: (value.password or value.query.get("password"))
            if isinstance(value, URL)
            else value.get_secret_value()
            for name, value in self
            if isinstance(value, URL | SecretStr)
        }
        known = " and ".join(
            name.upper()
            for name, secret in secrets.items()
            if re.sub(r"[\W_]+", " ", str(secret or "").lower()).strip().startswith(DEVELOPMENT)
        )
        if known and self.session_cookie_secure:
            raise ValueError(f"{known}: {DEVELOPMENT}, because everybody knows it. Set your own.")
        if known:
            log.warning("%s: %s, because everybody knows it", known, DEVELOPMENT)
        return self


class Settings(DatabaseSettings):
    """What the web applications of both twins read."""

    migration_database_url: Annotated[
        URL | None, NoDecode, BeforeValidator(lambda url: url and parse_database_url(url))
    ] = None
    """The same database with the role that owns it, for migrations. The application itself needs no right to change the
    schema; by default migrations use the application's role."""

    secret_key: SecretStr = Field(min_length=16)
    """Signs session cookies and CSRF tokens. All processes of one application must have the same key."""

    host: str = "127.0.0.1"
    """Address to listen on. Only containers need another one."""

    port: int = Field(ge=1, le=65535)
    """This repository starts the plain twin with 5040 and the Restate twin with 5050."""

    web_workers: int = Field(default=1, ge=1, le=64)
    """Number of gunicorn processes."""

    web_threads: int = Field(default=8, ge=1, le=256)
    """Threads in each gunicorn process. Each thread serves one request at a time."""

    web_queue: int = Field(default=256, ge=1, le=10_000)
    """Requests that may wait for a thread of a gunicorn process; one more is answered at once with 503."""

    trusted_proxies: int = Field(default=0, ge=0, le=10)
    """How many reverse proxies in front to trust for the client's address, scheme and host."""

    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_origins)] = ("*",)
    """The origins, such as https://app.example.org, whose pages may call the JSON API; * means any."""

    trusted_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_hosts)] = ()
    """The hosts that clients may ask for, of which links are made; none means any. A dot in front means those below."""


def load(kind: type[AnySettings]) -> AnySettings:
    """Read settings of this kind from the environment.

    Raises:
        SettingsError: settings are missing or wrong; its message names each of them. Or a secret cannot be read.

    """
    try:
        return kind()
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        raise SettingsError("Wrong settings. " + "; ".join(lines)) from None
    except pydantic_settings.SettingsError as error:
        # A file cannot be read, or is no text. What is in it must not be shown.
        why = getattr(error.__cause__, "strerror", None) or "not a text file"
        raise SettingsError(f"Wrong settings. {error}: {why}") from None
