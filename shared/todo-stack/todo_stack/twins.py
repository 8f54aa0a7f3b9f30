"""The twins: what each is, written down once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Twin:
    """One of the two applications."""

    key: str
    """In commands and in results."""
    title: str
    """Its name for people, that of its folder, and that of its web server in the stack."""
    package: str
    application: str
    """The module whose create_app() makes its web application, with its migrations."""
    gunicorn_conf: str
    """The module with gunicorn's settings."""
    database: str
    writer: str
    """The server whose process writes to the database."""
    servers: tuple[str, ...]
    """Names of all servers that it needs, those that are called before those that call."""
    ports: tuple[str, ...]
    """Fields of Ports, without the database's."""

    @property
    def durable(self) -> bool:
        """Whether its writes go through Restate."""
        return self.writer != self.title

    def __str__(self) -> str:
        return self.key


PLAIN = Twin(
    key="plain",
    title="flask-todo",
    package="flask_todo",
    application="flask_todo.app",
    gunicorn_conf="flask_todo.gunicorn_conf",
    database="todos",
    writer="flask-todo",
    servers=("db", "flask-todo"),
    ports=("flask_todo", "flask_todo_metrics"),
)

RESTATE = Twin(
    key="restate",
    title="flask-todo-restate",
    package="flask_todo_restate",
    application="flask_todo_restate.app",
    gunicorn_conf="flask_todo_restate.gunicorn_conf",
    # One each, so that side by side their lists show what each has kept.
    database="todos_restate",
    writer="restate_app",
    servers=("db", "restate_app", "restate", "flask-todo-restate"),
    ports=(
        *("flask_todo_restate", "restate_service", "restate_ingress", "restate_admin", "restate_node"),
        *("flask_todo_restate_metrics", "restate_app_metrics"),
    ),
)

TWINS = (PLAIN, RESTATE)

OUTSIDE_WORLD = "outside_world"
"""The server of the third parties that both twins call."""

SERVERS = (OUTSIDE_WORLD, "db", "restate_app", "restate", *(twin.title for twin in TWINS))
"""The names of all servers, those that are called before those that call."""


def twin_named(key: str) -> Twin:
    """Return the twin with this key."""
    return next(twin for twin in TWINS if twin.key == key)
