"""What was asked and done, for tests and for people, and the control of modes. None of this is kept or disturbed."""

from typing import Any, TypeVar, get_args

from flask import Blueprint, abort, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Select, and_, or_, select

from outside_world.models import Effect, Mode, Request, db, later, now, writing
from outside_world.problems import read, refusing
from outside_world.schemas import Filter, Order, Receiver

shown = Blueprint("shown", __name__)

RECEIVERS: tuple[str, ...] = get_args(Receiver)

ON_THE_PAGE = 20
"""So many requests of each receiver, unless one receiver alone is shown."""

Kept = TypeVar("Kept", Request, Effect)


@shown.get("/")
def page() -> ResponseReturnValue:
    """Show the receivers side by side, or one of them, or what has one reference."""
    chosen, sections = _filter(), []
    for receiver in [chosen.receiver] if chosen.receiver else RECEIVERS:
        limit = chosen.limit if chosen.receiver else ON_THE_PAGE
        rows, after = _part(Request, chosen.model_copy(update={"receiver": receiver, "limit": limit}))
        sections.append((receiver, _modes(receiver), rows, after))
    return render_template("page.html", sections=sections, chosen=chosen)


@shown.get("/requests")
def requests() -> ResponseReturnValue:
    """Return what was asked, the newest first."""
    rows, after = _part(Request, _filter())
    return jsonify(requests=[row.shown() for row in rows], after=after)


@shown.get("/effects")
def effects() -> ResponseReturnValue:
    """Return what was done, the newest first."""
    rows, after = _part(Effect, _filter())
    return jsonify(effects=[row.shown() for row in rows], after=after)


@shown.get("/control/<name:receiver>")
def show_modes(receiver: str) -> ResponseReturnValue:
    """Return the modes of a receiver, that which counts first."""
    return jsonify(modes=[mode.shown() for mode in _modes(_known(receiver))])


@shown.put("/control/<name:receiver>")
def set_mode(receiver: str) -> ResponseReturnValue:
    """Set a mode, in the place of one for the same requests."""
    _known(receiver)
    order = read(Order)
    with writing():
        for mode in _modes(receiver):
            if Order.model_validate(mode.order).filters == order.filters:
                db.session.delete(mode)
        until = later(order.seconds) if order.seconds else None
        given = order.model_dump(exclude_unset=True)
        db.session.add(Mode(receiver=receiver, order=given, left=order.count, until=until))
    return show_modes(receiver)


@shown.delete("/control/<name:receiver>")
def clear_modes(receiver: str) -> ResponseReturnValue:
    """Clear the modes of a receiver: all, or with ?reference= those for just this reference."""
    reference = request.args.get("reference")
    with writing():
        for mode in _modes(_known(receiver)):
            if reference in (None, mode.order.get("reference", "")):
                db.session.delete(mode)
    return "", 204


def _known(receiver: str) -> str:
    return receiver if receiver in RECEIVERS else abort(404, f"There are only {', '.join(RECEIVERS)}.")


def _modes(receiver: str) -> list[Mode]:
    in_time = or_(Mode.until.is_(None), Mode.until >= now())
    return list(db.session.scalars(select(Mode).where(Mode.receiver == receiver, in_time).order_by(Mode.id.desc())))


def _filter() -> Filter:
    with refusing():
        return Filter.model_validate(request.args.to_dict())


def _part(kind: type[Kept], chosen: Filter) -> tuple[list[Kept], int | None]:
    """Return the newest rows that are meant, and after which id to continue, if there are more."""
    rows = list(db.session.scalars(_chosen(kind, chosen).limit(chosen.limit + 1)))
    return rows[: chosen.limit], rows[chosen.limit - 1].id if len(rows) > chosen.limit else None


def _chosen(kind: type[Kept], chosen: Filter) -> Select[Kept]:
    conditions: list[Any] = []
    if chosen.receiver:
        conditions.append(kind.receiver == chosen.receiver)
    if chosen.key:
        conditions.append(kind.key == chosen.key)
    if chosen.reference:
        below = chosen.reference.rstrip("/")
        # "0" comes after "/".
        conditions.append(
            or_(kind.reference == below, and_(kind.reference > f"{below}/", kind.reference < f"{below}0"))
        )
    if chosen.after:
        conditions.append(kind.id < chosen.after)
    return select(kind).where(*conditions).order_by(kind.id.desc())
