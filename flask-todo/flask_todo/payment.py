"""Money: the bounty on a todo, its payment and its refund."""

import uuid

import requests

from todo_shared.features import payment
from todo_shared.features.errors import DeclinedError
from todo_shared.features.outside import OutsideWorld, was_not_done
from todo_shared.features.schemas import BountyBody, BountyRequest, PaymentData
from todo_shared.models import db
from todo_shared.schemas import TodoItemRequest

world = OutsideWorld("plain")


def set_bounty(req: BountyRequest) -> BountyBody:
    """Set the bounty."""
    bounty = payment.set_bounty(db.session, req.todo_id, req)
    db.session.commit()
    return bounty


def drop_bounty(req: TodoItemRequest) -> None:
    """Take the bounty off."""
    payment.drop_bounty(db.session, req.todo_id)
    db.session.commit()


def pay(req: TodoItemRequest) -> PaymentData:
    """Pay the bounty: record that it is being paid, charge, record that it is paid."""
    opened = payment.open_payment(db.session, req.todo_id, str(uuid.uuid4()))
    # Committed before the charge, so that nobody pays a second time and no charge is without a record.
    db.session.commit()
    try:
        charge = payment.charge(world, req.todo_id, opened)
    except DeclinedError as declined:
        payment.record(db.session, opened.id, "declined", reason=str(declined))
        db.session.commit()
        raise
    except requests.RequestException as error:
        # Whether it is charged is unknown, unless the request was never sent: then it can be paid again.
        if was_not_done(error):
            payment.record(db.session, opened.id, "declined", reason="The payment provider cannot be reached.")
            db.session.commit()
        raise
    paid = payment.record(db.session, opened.id, "paid", charge=charge)
    db.session.commit()
    return paid


def refund(req: TodoItemRequest) -> PaymentData:
    """Give the money back."""
    paid = payment.paid_payment(db.session, req.todo_id)
    db.session.commit()
    payment.give_back(world, paid)
    refunded = payment.record(db.session, paid.id, "refunded")
    db.session.commit()
    return refunded
