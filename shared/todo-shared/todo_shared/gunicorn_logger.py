"""gunicorn's log in the format of all others: a line for each request, and what the server says of itself."""

from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from todo_shared import logs


class FormattedLogger(Logger):
    """Writes gunicorn's own lines, or JSON."""

    def setup(self, cfg: object) -> None:
        """Set up the loggers, at the start and when the configuration is read anew."""
        super().setup(cfg)
        if logs.is_json():
            for handler in (*self.error_log.handlers, *self.access_log.handlers):
                handler.setFormatter(logs.JsonFormatter())

    def access(self, resp: Any, req: object, environ: dict[str, Any], request_time: timedelta) -> None:  # noqa: ANN401 - gunicorn's
        """Write the line about a request that was answered."""
        if not logs.is_json():
            super().access(resp, req, environ, request_time)
        elif self.access_log_enabled:
            fields = {
                "client": environ.get("REMOTE_ADDR", ""),
                "status": int(str(resp.status).split()[0]),
                "seconds": round(request_time.total_seconds(), 6),
                **environ.get(logs.IDS, {}),
            }
            line = f"{environ['REQUEST_METHOD']} {environ['RAW_URI']}"
            self.access_log.info("%s", line, extra={"fields": fields})
