"""Another web server of a twin with other settings, as a process of this machine."""

import contextlib
import sys
from collections.abc import Iterator, Mapping

from tests.support.running_twin import RunningTwin
from todo_stack.checks import http_ok
from todo_stack.output import no_log
from todo_stack.paths import REPOSITORY
from todo_stack.ports import HOST, Ports
from todo_stack.process import Server


@contextlib.contextmanager
def web_beside(twin: RunningTwin, settings: Mapping[str, str]) -> Iterator[RunningTwin]:
    """Run a web server with the settings of the twin's own, these changed, on its database and services."""
    which = twin.which
    port = Ports.free().web(which)
    url = f"http://{HOST}:{port}"
    module = ["gunicorn", "--config", f"python:{which.gunicorn_conf}", f"{which.application}:create_app()"]
    env = {**twin.web.env, "PORT": str(port), **settings}
    server = Server(
        f"{which.title} beside", [sys.executable, "-m", *module], env, no_log, http_ok(f"{url}/readyz"), cwd=REPOSITORY
    )
    server.start()
    try:
        yield RunningTwin(which, twin.stack, url)
    finally:
        server.stop()
