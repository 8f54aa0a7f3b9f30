"""Money: the bounty on a todo, its payment and its refund. One object per todo, which does one thing at a time."""

import restate
from sqlalchemy.orm import Session

from flask_restate import durable_object, to_its_end, translated
from flask_todo_restate.services.database import ledger
from todo_shared.features import payment
from todo_shared.features.outside import OutsideWorld
from todo_shared.features.schemas import BountyBody, BountyRequest, PaymentData
from todo_shared.schemas import TodoItemRequest

world = OutsideWorld("restate")
payment_object = durable_object("PaymentObject")


@payment_object.handler()
async def set_bounty(ctx: restate.ObjectContext, req: BountyRequest) -> BountyBody:
    """Set the bounty."""

    def db_bounty(session: Session) -> BountyBody:
        return payment.set_bounty(session, req.todo_id, req)

    return await ctx.run_typed("db_bounty", ledger.once(ctx, db_bounty))


@payment_object.handler()
async def drop_bounty(ctx: restate.ObjectContext, req: TodoItemRequest) -> None:
    """Take the bounty off."""

    def db_drop(session: Session) -> None:
        payment.drop_bounty(session, req.todo_id)

    await ctx.run_typed("db_drop", ledger.once(ctx, db_drop))


@payment_object.handler()
async def pay(ctx: restate.ObjectContext, req: TodoItemRequest) -> PaymentData:
    """Pay the bounty: record that it is being paid, charge, record that it is paid."""
    payment_id = str(ctx.uuid())

    def db_open(session: Session) -> PaymentData:
        return payment.open_payment(session, req.todo_id, payment_id)

    def charge() -> str:
        return payment.charge(world, req.todo_id, opened)

    def db_declined(session: Session) -> PaymentData:
        return payment.record(session, opened.id, "declined", reason=reason)

    def db_paid(session: Session) -> PaymentData:
        return payment.record(session, opened.id, "paid", charge=charge_id)

    opened = await to_its_end(ctx.run_typed("db_open", ledger.once(ctx, db_open)))
    try:
        # An operator's cancel does not interrupt it, because the money may already be on its way.
        charge_id = await to_its_end(ctx.run_typed("charge", translated(charge)))
    except restate.TerminalError as declined:
        reason = declined.message
        await to_its_end(ctx.run_typed("db_declined", ledger.once(ctx, db_declined)))
        raise
    return await to_its_end(ctx.run_typed("db_paid", ledger.once(ctx, db_paid)))


@payment_object.handler()
async def refund(ctx: restate.ObjectContext, req: TodoItemRequest) -> PaymentData:
    """Give the money back."""

    def db_find(session: Session) -> PaymentData:
        return payment.paid_payment(session, req.todo_id)

    def give_back() -> None:
        payment.give_back(world, paid)

    def db_refunded(session: Session) -> PaymentData:
        return payment.record(session, paid.id, "refunded")

    paid = await to_its_end(ctx.run_typed("db_find", ledger.once(ctx, db_find)))
    await to_its_end(ctx.run_typed("refund", translated(give_back)))
    return await to_its_end(ctx.run_typed("db_refunded", ledger.once(ctx, db_refunded)))
