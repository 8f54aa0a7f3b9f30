"""What a Flask application needs to use Restate: the extension, the service, the ledger and the server."""

from flask_restate.errors import ERRORS, SQLSTATES, Ends, retry_after, translated
from flask_restate.extension import FlaskRestate
from flask_restate.ingress import OPERATION_HEADER
from flask_restate.ledger import Ledger, LedgerMixin, call_id
from flask_restate.server import serve
from flask_restate.service import (
    StoppedError,
    durable_object,
    durable_service,
    durable_workflow,
    to_its_end,
    unless_stopped,
)

__all__ = [
    "ERRORS",
    "OPERATION_HEADER",
    "SQLSTATES",
    "Ends",
    "FlaskRestate",
    "Ledger",
    "LedgerMixin",
    "StoppedError",
    "call_id",
    "durable_object",
    "durable_service",
    "durable_workflow",
    "retry_after",
    "serve",
    "to_its_end",
    "translated",
    "unless_stopped",
]
