"""The bounty on a todo and its payment, on a session. These functions do not commit: the caller does."""

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from todo_shared import operations
from todo_shared.features.errors import ConflictError, DeclinedError, NotSetError
from todo_shared.features.outside import OutsideRefusedError, OutsideWorld
from todo_shared.features.schemas import BountyBody, PaymentData
from todo_shared.models import Bounty, Payment
from todo_shared.models.features import UNSETTLED
from todo_shared.operations import AnySession


def find_bounty(session: AnySession, todo_id: int, *, lock: bool = False) -> Bounty | None:
    """Return the bounty on a todo, if it has one; locked until the transaction ends, so that it stays as it is."""
    if not operations.is_storable(todo_id):
        return None
    wanted = select(Bounty).where(Bounty.todo_id == todo_id)
    return session.scalar(wanted.with_for_update() if lock else wanted)


def latest_payment(session: AnySession, todo_id: int) -> Payment | None:
    """Return the latest payment of a todo, if there is one."""
    if not operations.is_storable(todo_id):
        return None
    of_todo = select(Payment).where(Payment.todo_id == todo_id)
    return session.scalar(of_todo.order_by(Payment.created_at.desc()).limit(1))


def set_bounty(session: AnySession, todo_id: int, bounty: BountyBody) -> BountyBody:
    """Set the bounty on a todo.

    Raises operations.TodoNotFoundError, or ConflictError: it is being paid, or was.
    """
    operations.lock(session, todo_id)
    refuse_if_paid(session, todo_id)
    values = {"amount": bounty.amount, "currency": bounty.currency}
    new = insert(Bounty).values(todo_id=todo_id, **values)
    session.execute(new.on_conflict_do_update(index_elements=["todo_id"], set_=values))
    return BountyBody(amount=bounty.amount, currency=bounty.currency)


def drop_bounty(session: AnySession, todo_id: int) -> None:
    """Take the bounty off a todo. Raises NotSetError, or ConflictError: it is being paid, or was."""
    if find_bounty(session, todo_id, lock=True) is None:
        raise NotSetError("There is no bounty on this todo.")
    refuse_if_paid(session, todo_id)
    session.execute(delete(Bounty).where(Bounty.todo_id == todo_id))


def open_payment(session: AnySession, todo_id: int, payment_id: str) -> PaymentData:
    """Begin to pay the bounty, as a payment with this id that is charging. Raises NotSetError, ConflictError."""
    bounty = find_bounty(session, todo_id, lock=True)
    if bounty is None:
        raise NotSetError("There is no bounty on this todo.")
    refuse_if_paid(session, todo_id)
    payment = Payment(id=payment_id, todo_id=todo_id, amount=bounty.amount, currency=bounty.currency, status="charging")
    session.add(payment)
    session.flush()
    return PaymentData.model_validate(payment)


def refuse_if_paid(session: AnySession, todo_id: int) -> None:
    """Raise ConflictError if the bounty is being paid, or was and is not refunded."""
    status = session.scalar(select(Payment.status).where(Payment.todo_id == todo_id, Payment.status.in_(UNSETTLED)))
    if status:
        raise ConflictError({"paid": "The bounty is paid.", "charging": "The bounty is being paid."}[status])


def paid_payment(session: AnySession, todo_id: int) -> PaymentData:
    """Return the payment that may be refunded. Raises ConflictError: there is none; operations.TodoNotFoundError."""
    found = session.scalar(select(Payment).where(Payment.todo_id == todo_id, Payment.status == "paid"))
    if found is None:
        operations.find(session, todo_id)
        raise ConflictError("The bounty is not paid.")
    return PaymentData.model_validate(found)


def record(session: AnySession, payment_id: str, status: str, **values: str) -> PaymentData:
    """Record what became of a payment, with its charge or the reason."""
    changed = update(Payment).where(Payment.id == payment_id).values(status=status, **values).returning(Payment)
    return PaymentData.model_validate(session.scalars(changed, execution_options={"populate_existing": True}).one())


def charge(world: OutsideWorld, todo_id: int, payment: PaymentData) -> str:
    """Let the provider charge, once for each payment, and return its id of that.

    Raises DeclinedError: it was declined; requests.RequestException as OutsideWorld.post() does.
    """
    body = {"amount": payment.amount, "currency": payment.currency, "reference": world.reference(todo_id)}
    try:
        return str(world.post("/payments", body, key=payment.id)["id"])
    except OutsideRefusedError as error:
        raise DeclinedError(str(error)) from None


def give_back(world: OutsideWorld, payment: PaymentData) -> None:
    """Let the provider refund, once for each payment.

    Raises ConflictError: the provider refuses; requests.RequestException as OutsideWorld.post() does.
    """
    try:
        world.post(f"/payments/{payment.charge}/refund", {}, key=f"{payment.id}/refund")
    except OutsideRefusedError as error:
        raise ConflictError(str(error)) from None
