"""What the parts of an add and of a page are called."""

from todo_stack.twins import TWINS

CALL, LEDGER, SESSION = "the call at the ingress", "session, INSERT, ledger row, COMMIT", "session, INSERT, COMMIT"
"""Parts of a durable add; the floor has the last of the plain add in place of the second, and nothing of the first."""
FLASK = "Flask: route, checked input, headers, answer"
"""A part of either add."""
TEMPLATE, PENDING = "Flask, session, token, forms, template", "being there, and asked once a second what is pending"
"""Parts of a page, in which the twins differ."""

PAGES = tuple(f"page of 100 todos, {twin.title}" for twin in TWINS)
