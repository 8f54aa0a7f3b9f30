"""How a request to a receiver is taken: kept, disturbed as was ordered, carried out once, and kept with its answer."""

import contextlib
import hashlib
import json
import socket
import time
from collections.abc import Callable
from fnmatch import fnmatchcase

from flask import Response, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.exceptions import HTTPException

from outside_world.models import Effect, Mode, Request, db, now, writing
from outside_world.problems import PROBLEM, http_problem, problem, whole_body
from outside_world.schemas import Order

TEMPORARY = {
    "error": (500, "The receiver was told to fail."),
    "busy": (429, "The receiver was told to be busy."),
}
"""Modes in which nothing is done, and a repeat may succeed."""

CHANGING = ("POST", "PUT", "DELETE")
"""Methods for which a key counts."""


def ask(receiver: str, work: Callable[[], ResponseReturnValue]) -> Response:
    """Answer a request to a receiver, whose work it is."""
    with writing():
        asked = _keep_request(receiver)
        order = _take_order(asked)
    mode = asked.mode
    if order and mode == "slow":
        # To be slow is what was ordered.
        time.sleep(order.seconds_each)
    # What was done, and that it was done under this key, is one transaction.
    with writing():
        if order and mode in TEMPORARY:
            answer = problem(*TEMPORARY[mode])
            if mode == "busy":
                answer.headers["Retry-After"] = str(order.retry_after)
        elif mode == "ignore_keys" or asked.key is None or asked.method not in CHANGING:
            answer = _carry_out(asked, order, work)
        else:
            answer = _answer_of_first(asked) or _carry_out_first(asked, order, work)
        asked.status, asked.answer, asked.answered_at = answer.status_code, answer.get_data(as_text=True), now()
    if mode == "drop":
        # Nothing can be written to it any more, and the server closes it.
        # Who asked may have gone already.
        with contextlib.suppress(OSError):
            request.environ["gunicorn.socket"].shutdown(socket.SHUT_RDWR)
    return answer


def done(what: str, subject: str, details: dict[str, object]) -> Response:
    """Keep that this was done for the request at hand, and return it as an answer."""
    asked: Request = g.asked
    effect = Effect(
        request_id=asked.id,
        receiver=asked.receiver,
        what=what,
        subject=subject,
        reference=asked.reference,
        key=asked.key,
        details=details,
    )
    db.session.add(effect)
    return jsonify(details)


def subject_of(*parts: str) -> str:
    """Return what an effect is of, as the address names it."""
    return "/".join(filter(None, parts))


def _keep_request(receiver: str) -> Request:
    body, g.refusal = "", None
    try:
        body = whole_body().decode(errors="replace")
    except HTTPException as error:
        g.refusal = error
    try:
        parsed = json.loads(body)
        same = json.dumps(parsed, sort_keys=True)
    except (ValueError, RecursionError):
        parsed, same = None, body
    g.asked = Request(
        receiver=receiver,
        method=request.method,
        path=request.path,
        reference=_reference(receiver, parsed)[:200].encode(errors="replace").decode(),
        key=request.headers.get("Idempotency-Key") or None,
        body=body,
        fingerprint=hashlib.sha256(f"{request.method} {request.path} {same}".encode()).hexdigest(),
    )
    db.session.add(g.asked)
    db.session.flush()
    asked: Request = g.asked
    return asked


def _reference(receiver: str, body: object) -> str:
    """Return for what the sender says that this is: in its body, in a header, or with the first request of this id."""
    given = body.get("reference") if isinstance(body, dict) else None
    if given := given if isinstance(given, str) else request.headers.get("Reference"):
        return given
    subject = subject_of(*(request.view_args or {}).values())
    if receiver == "hooks":
        return f"{subject}/{body['todo']}" if isinstance(body, dict) and "todo" in body else subject
    earlier = select(Effect.reference).where(Effect.receiver == receiver, Effect.subject == subject)
    return db.session.scalars(earlier.order_by(Effect.id.desc()).limit(1)).first() or ""


def _take_order(asked: Request) -> Order | None:
    """Return how this request is to be answered, and count it; forget orders whose time is over."""
    for mode in db.session.scalars(select(Mode).where(Mode.receiver == asked.receiver).order_by(Mode.id.desc())):
        order = Order.model_validate(mode.order)
        if mode.until is not None and mode.until < now():
            db.session.delete(mode)
        elif _is_for(order, asked):
            asked.mode = order.mode
            if mode.left is not None:
                mode.left -= 1
            if mode.left == 0:
                db.session.delete(mode)
            return order
    return None


def _is_for(order: Order, asked: Request) -> bool:
    below = f"{asked.reference}/".startswith(f"{order.reference.rstrip('/')}/")
    return (
        (below or not order.reference)
        and order.method in ("", asked.method)
        and fnmatchcase(asked.path, order.path or "*")
    )


def _answer_of_first(asked: Request) -> Response | None:
    """Return the answer that the first request with this key got; None if this is the first."""
    first = db.session.scalars(
        select(Request).where(Request.receiver == asked.receiver, Request.kept_key == asked.key)
    ).first()
    if first is None:
        return None
    if first.fingerprint != asked.fingerprint:
        return problem(422, "This Idempotency-Key was used for another request.")
    asked.replayed = True
    mimetype = PROBLEM if (first.status or 0) >= 400 else "application/json"
    return Response(first.answer, first.status, {"Idempotent-Replayed": "true"}, mimetype=mimetype)


def _carry_out_first(asked: Request, order: Order | None, work: Callable[[], ResponseReturnValue]) -> Response:
    answer = _carry_out(asked, order, work)
    # What could not be understood may be asked again, in better words.
    if answer.status_code not in (400, 404, 405, 413, 415):
        asked.kept_key = asked.key
    return answer


def _carry_out(asked: Request, order: Order | None, work: Callable[[], ResponseReturnValue]) -> Response:
    if order and order.mode == "reject":
        return problem(
            order.status or (402 if asked.receiver == "payments" else 409), "The receiver was told to refuse."
        )
    try:
        if g.refusal:
            raise g.refusal
        return current_app.make_response(work())
    except HTTPException as error:
        return http_problem(error)
