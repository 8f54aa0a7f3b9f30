"""The page of one todo, with what it carries."""

from flask import render_template, url_for
from flask_wtf.csrf import generate_csrf

from todo_shared import operations
from todo_shared.features import meeting, moments, payment
from todo_shared.features.forms import BountyForm, FeatureForm, MeetingForm
from todo_shared.features.money import shown
from todo_shared.features.schemas import STEPS
from todo_shared.forms import new_request_id
from todo_shared.models import db


def todo_page(todo_id: int, form: FeatureForm | None = None, message: str = "") -> str:
    """Return the page of a todo; a form that was not accepted is shown as it was submitted, with the message."""
    todo = operations.find(db.session, todo_id)
    page = render_template(
        "todo.html",
        todo=todo,
        message=message,
        bounty=payment.find_bounty(db.session, todo_id),
        payment=payment.latest_payment(db.session, todo_id),
        bounty_form=form if isinstance(form, BountyForm) else BountyForm(formdata=None),
        meeting=meeting.find_meeting(db.session, todo_id),
        meeting_form=form if isinstance(form, MeetingForm) else MeetingForm(formdata=None),
        meeting_steps=STEPS,
        moment=moments.shown,
        csrf=generate_csrf(),
        new_request_id=new_request_id,
        shown=shown,
    )
    db.session.commit()
    return page


def back(todo_id: int) -> str:
    """Return the address of the todo's page."""
    return url_for("todo_routes.show_todo", todo_id=todo_id)
