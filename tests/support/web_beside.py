"""Another web server of a twin with other settings, as a process of this machine."""

import contextlib
import sys
from collections.abc import Iterator, Mapping

from tests.support.running_twin import RunningTwin
from todo_stack.checks import http_ok
from todo_stack.output import Log, no_log
from todo_stack.paths import REPOSITORY
from todo_stack.ports import HOST, Ports
from todo_stack.process import Server
from todo_stack.twins import Twin


def web_command(which: Twin) -> list[str]:
    """Return what starts the web server of a twin."""
    module = ["gunicorn", "--config", f"python:{which.gunicorn_conf}", f"{which.application}:create_app()"]
    return [sys.executable, "-m", *module]


@contextlib.contextmanager
def web_beside(twin: RunningTwin, settings: Mapping[str, str], log: Log = no_log) -> Iterator[RunningTwin]:
    """Run a web server with the settings of the twin's own, these changed, on its database and services."""
    which = twin.which
    port = Ports.free().web(which)
    url = f"http://{HOST}:{port}"
    env = {**twin.web.env, "PORT": str(port), **settings}
    server = Server(f"{which.title} beside", web_command(which), env, log, http_ok(f"{url}/readyz"), cwd=REPOSITORY)
    server.start()
    try:
        yield RunningTwin(which, twin.stack, url)
    finally:
        server.stop()
