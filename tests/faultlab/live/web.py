"""The page of the live lab, and the small JSON API that it and scripts use."""

import contextlib
import hmac
import logging
import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated, Literal

from flask import Flask, Response, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

from tests.faultlab.laboratory import CLIENT_TIMEOUT_SECONDS, TIMEOUTS
from tests.faultlab.legend import BAD, LEGEND
from tests.faultlab.live.arms import FATES, NotNowError
from tests.faultlab.live.lab import Lab
from tests.faultlab.live.servers import DEEDS
from tests.faultlab.live.side import KINDS_OF_OPERATIONS
from tests.faultlab.live.stories import STORIES

COOKIE = "lab_token"
"""Its name begins so, and ends with the port: cookies know none, and there may be two labs."""
LONGEST_DELAY_SECONDS = 60
MOST_A_SECOND = 20
LONGEST_CHAOS_SECONDS = 600

TwinName = Literal["plain", "restate", "both"]


class Order(BaseModel):
    """What is asked of the lab; without a twin it is meant for both."""

    model_config = ConfigDict(extra="forbid")

    twin: TwinName = "both"


class ProcessOrder(Order):
    """Do something to a server."""

    process: str
    deed: Literal["kill", "freeze", "stop", "start"]


class ArmOrder(Order):
    """Wait for a message."""

    seam: str
    fate: Literal["hold", "drop", "reset", "delay"]
    seconds: Annotated[float, Field(gt=0, le=LONGEST_DELAY_SECONDS)] = 5


class ReleaseOrder(Order):
    """Decide on what is held."""

    fate: Literal["pass", "drop", "reset"] = "pass"


class OperationOrder(Order):
    """Let the customer ask for something."""

    kind: str
    again: bool = False


class StreamOrder(BaseModel):
    """A steady stream."""

    model_config = ConfigDict(extra="forbid")

    rate: Annotated[int, Field(ge=0, le=MOST_A_SECOND)]
    kind: str = "add"


class ChaosOrder(BaseModel):
    """Chaos in both twins."""

    model_config = ConfigDict(extra="forbid")

    seconds: Annotated[float, Field(gt=0, le=LONGEST_CHAOS_SECONDS)] = 60
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None


@contextlib.contextmanager
def served(lab: Lab, token: str, listener: socket.socket) -> Iterator[None]:
    """Serve the page of a lab meanwhile, to whoever connects to this socket."""
    # One line for each request would hide what the lab says.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    host, port = listener.getsockname()
    server = make_server(host, port, create_app(lab, token), threaded=True, fd=listener.fileno())
    thread = threading.Thread(target=server.serve_forever, name="page")
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def create_app(lab: Lab, token: str) -> Flask:
    """Return the application; who changes something needs the token, in a cookie or as Bearer."""
    app = Flask(__name__)
    # Any other name leads here only from a page that wants to be taken for this one.
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost"]
    app.config["MAX_CONTENT_LENGTH"] = 10_000

    @app.before_request
    def check() -> ResponseReturnValue | None:
        # Whoever it is for, the name is looked at.
        own = f"{request.scheme}://{request.host}"
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            # A page of another port of this machine has the cookie, too.
            if not has_token() or request.headers.get("Origin", own) != own:
                return _error(HTTPStatus.FORBIDDEN, "this needs the token that the lab has printed: open that address")
            lab.check_free(for_customer=request.endpoint in ("operate", "stream"))
        return None

    def cookie() -> str:
        return f"{COOKIE}_{request.host.rpartition(':')[2]}"

    def has_token() -> bool:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        given = bearer if scheme.lower() == "bearer" else request.cookies.get(cookie(), "")
        return hmac.compare_digest(given.encode(), token.encode())

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @app.errorhandler(NotNowError)
    def not_now(error: NotNowError) -> ResponseReturnValue:
        return _error(HTTPStatus.CONFLICT, str(error))

    @app.errorhandler(ValidationError)
    def not_valid(error: ValidationError) -> ResponseReturnValue:
        told = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors()]
        return _error(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(told))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        return _error(HTTPStatus(error.code or 500), error.description or error.name)

    @app.get("/")
    def page() -> ResponseReturnValue:
        if given := request.args.get("token"):
            if not hmac.compare_digest(given.encode(), token.encode()):
                return _error(HTTPStatus.FORBIDDEN, "this token is of another lab")
            response = redirect("/")
            response.set_cookie(cookie(), token, httponly=True, samesite="Strict")
            return response
        return render_template(
            "lab.html",
            stories=STORIES.values(),
            kinds=KINDS_OF_OPERATIONS,
            deeds=DEEDS,
            fates=FATES,
            legend=LEGEND,
            bad=BAD,
            sides=lab.sides,
            most_a_second=MOST_A_SECOND,
            patience=round(CLIENT_TIMEOUT_SECONDS),
            silence=TIMEOUTS["DB_SILENCE_TIMEOUT_SECONDS"],
            has_token=has_token(),
        )

    @app.get("/api/state")
    def state() -> ResponseReturnValue:
        return jsonify(lab.state())

    @app.get("/api/stories")
    def stories() -> ResponseReturnValue:
        return jsonify([story.shown() for story in STORIES.values()])

    @app.get("/api/seams")
    def seams() -> ResponseReturnValue:
        return jsonify({key: side.arms.seams() for key, side in lab.sides.items()})

    @app.get("/api/events")
    def events() -> ResponseReturnValue:
        def stream() -> Iterator[str]:
            for name, content in lab.listen():
                yield f"event: {name}\ndata: {content}\n\n"

        return Response(stream(), mimetype="text/event-stream", headers={"Cache-Control": "no-store"})

    @app.get("/api/operations/<twin>/<key>")
    def history(twin: str, key: str) -> ResponseReturnValue:
        return jsonify(lab.chosen(twin)[0].history(key))

    _add_orders(app, lab)
    return app


def _add_orders(app: Flask, lab: Lab) -> None:
    """Add what changes something."""

    @app.post("/api/processes")
    def processes() -> ResponseReturnValue:
        order = ProcessOrder.model_validate(_json())
        sides = lab.chosen(order.twin)
        if len(sides) > 1 and not any(order.process in side.lab.processes for side in sides):
            raise NotNowError(f"there is no {order.process}")
        for side in sides:
            # What corresponds to the service, which writes, is the plain twin's web. It has nothing like Restate.
            stands_in = len(sides) > 1 and order.process == "service" and not side.lab.which.durable
            process = "web" if stands_in else order.process
            if len(sides) == 1 or process in side.lab.processes:
                side.servers.do(process, order.deed)
        return jsonify(lab.state())

    @app.post("/api/messages")
    def arm() -> ResponseReturnValue:
        order = ArmOrder.model_validate(_json())
        sides = lab.chosen(order.twin)
        has_it = [side for side in sides if order.seam in [seam["seam"] for seam in side.arms.seams()]]
        for side in has_it or sides:
            side.arms.arm(order.seam, order.fate, order.seconds)
        return jsonify(lab.state())

    @app.post("/api/release")
    def release() -> ResponseReturnValue:
        order = ReleaseOrder.model_validate(_json())
        for side in lab.chosen(order.twin):
            side.arms.release(order.fate)
        return jsonify(lab.state())

    @app.post("/api/operations")
    def operate() -> ResponseReturnValue:
        order = OperationOrder.model_validate(_json())
        return jsonify(keys=lab.operate(order.twin, order.kind, again=order.again)), HTTPStatus.ACCEPTED

    @app.put("/api/stream")
    def stream() -> ResponseReturnValue:
        order = StreamOrder.model_validate(_json())
        lab.stream(order.rate, order.kind)
        return jsonify(lab.state())

    @app.post("/api/stories/<name>")
    def tell(name: str) -> ResponseReturnValue:
        lab.tell(name)
        return jsonify(lab.state()), HTTPStatus.ACCEPTED

    @app.post("/api/chaos")
    def chaos() -> ResponseReturnValue:
        order = ChaosOrder.model_validate(_json())
        return jsonify(seed=lab.chaos(order.seconds, order.seed)), HTTPStatus.ACCEPTED

    @app.post("/api/heal")
    def heal() -> ResponseReturnValue:
        lab.heal()
        return jsonify(lab.state())

    @app.post("/api/reset")
    def reset() -> ResponseReturnValue:
        lab.reset()
        return jsonify(lab.state())


def _json() -> object:
    return request.get_json() if request.content_length else {}


def _error(status: HTTPStatus, text: str) -> ResponseReturnValue:
    return jsonify(error=text), status
