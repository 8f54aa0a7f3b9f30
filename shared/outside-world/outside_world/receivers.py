"""The third parties: what each of them can be asked. Refusals come before anything is changed."""

import uuid

from flask import Blueprint, abort, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from outside_world.asking import done, subject_of
from outside_world.models import Booking, Payment, db
from outside_world.problems import read
from outside_world.schemas import MAX_MINUTES, AnyJson, NewBooking, NewMail, NewPayment

receivers = Blueprint("receivers", __name__)

CALENDAR = ""
"""The place of what is in the calendar; others are rooms."""


@receivers.post("/payments")
def pay() -> ResponseReturnValue:
    """Take money."""
    payment = Payment(id=f"pay_{uuid.uuid4().hex}", status="paid", **read(NewPayment).model_dump())
    db.session.add(payment)
    return done("paid", payment.id, payment.shown()), 201


@receivers.get("/payments/<name:payment_id>")
def payment(payment_id: str) -> ResponseReturnValue:
    """Say what became of a payment."""
    return jsonify(_payment(payment_id).shown())


@receivers.post("/payments/<name:payment_id>/refund")
def refund(payment_id: str) -> ResponseReturnValue:
    """Give the money back, once."""
    payment = _payment(payment_id)
    if payment.status == "refunded":
        abort(409, "This payment is refunded already.")
    payment.status = "refunded"
    return done("refunded", payment.id, payment.shown())


def _payment(payment_id: str) -> Payment:
    return db.session.get(Payment, payment_id) or abort(404, "There is no such payment.")


@receivers.post("/calendar/events", defaults={"room": CALENDAR})
@receivers.post("/rooms/<name:room>/bookings")
@receivers.put("/calendar/events/<name:booking_id>", defaults={"room": CALENDAR})
@receivers.put("/rooms/<name:room>/bookings/<name:booking_id>")
def book(room: str, booking_id: str = "") -> ResponseReturnValue:
    """Put an event into the calendar, or book a room if it is free at that time."""
    given = read(NewBooking)
    if booking_id and given.id not in (None, booking_id):
        abort(400, "id: the address has another one")
    content = given.model_dump(mode="json", exclude={"id"})
    start = given.start.timestamp()
    wanted = Booking(
        place=room,
        id=booking_id or given.id or str(uuid.uuid4()),
        live=True,
        starts=start,
        ends=start + given.minutes * 60,
        content=content,
    )
    if known := db.session.get(Booking, (room, wanted.id)):
        if not known.live:
            abort(409, "This id was cancelled: it cannot be booked any more.")
        if known.content != content:
            abort(409, "This id is booked with other content.")
        return jsonify(id=known.id, **content)
    if room != CALENDAR and (other := _overlapping(wanted)):
        abort(409, f"The room is booked already from {other.content['start']} for {other.content['minutes']} minutes.")
    db.session.add(wanted)
    return done("booked", subject_of(room, wanted.id), {"id": wanted.id, **content}), 201


def _overlapping(wanted: Booking) -> Booking | None:
    return db.session.scalars(
        select(Booking)
        .where(Booking.place == wanted.place, Booking.live, Booking.ends > wanted.starts)
        # The earliest start that can last until then, so that not all bookings are read.
        .where(Booking.starts < wanted.ends, Booking.starts > wanted.starts - MAX_MINUTES * 60)
        .limit(1)
    ).first()


@receivers.delete("/calendar/events/<name:booking_id>", defaults={"room": CALENDAR})
@receivers.delete("/rooms/<name:room>/bookings/<name:booking_id>")
def cancel(room: str, booking_id: str) -> ResponseReturnValue:
    """Cancel what is booked; what is not can never be booked then, because its booking may be on its way."""
    known = db.session.get(Booking, (room, booking_id))
    if known is None:
        known = Booking(place=room, id=booking_id, live=False)
        db.session.add(known)
        done("barred", subject_of(room, booking_id), {"id": booking_id})
    elif known.live:
        known.live = False
        done("cancelled", subject_of(room, booking_id), {"id": booking_id, **known.content})
    return "", 204


@receivers.post("/mail")
def send_mail() -> ResponseReturnValue:
    """Deliver a mail."""
    mail_id = str(uuid.uuid4())
    return done("sent", mail_id, {"id": mail_id, **read(NewMail).model_dump()}), 202


@receivers.post("/hooks/<name:name>")
def hook(name: str) -> ResponseReturnValue:
    """Take a webhook's call."""
    done("received", name, {"body": read(AnyJson).root})
    return "", 204
