"""What comes of it when a request to the plain twin, whose client was not told that it worked, is submitted again."""

from tests.support.history import WHOLE, Truth, Verdict

_WHEN_WHOLE = {
    "add": (Verdict.DUPLICATED, "it is done a second time."),
    "update": (Verdict.EXACTLY_ONCE, "it sets the same text once more."),
    "delete": (Verdict.GHOST, "its client is told that there is nothing to delete."),
    "pay": (Verdict.GHOST, "its client is told that it is paid."),
    "refund": (Verdict.GHOST, "its client is told that nothing is paid."),
    "tell": (Verdict.EXACTLY_ONCE, "it is completed already, which tells nobody."),
    "plan": (Verdict.GHOST, "its client is told that a meeting is planned."),
    "cancel": (Verdict.GHOST, "its client is told that it was cancelled."),
    "delete met": (Verdict.GHOST, "its client is told that there is nothing to delete."),
}
_WHEN_BEGUN = {
    "pay": (Verdict.STUCK, "its client is told that it is being paid, and nobody looks whether it is."),
    "refund": (Verdict.EXACTLY_ONCE, "the provider knows it by its key, and it is recorded."),
    "tell": (Verdict.HALF_DONE, "it is completed already, which tells nobody."),
    "cancel": (Verdict.EXACTLY_ONCE, "it is cancelled once more, and each step knows what was done."),
    "delete met": (Verdict.EXACTLY_ONCE, "what its meeting has left is undone, and it is deleted."),
}


def submitted_again(operation: str, truth: Truth) -> tuple[Verdict, str]:
    """Return the verdict, and the end of the sentence that explains it, where some or all of it was there before."""
    if operation == "plan" and truth != WHOLE:
        verdict = Verdict.STUCK if truth.goes_on else Verdict.HALF_DONE
        return verdict, "its client is told that there is a meeting already."
    return (_WHEN_WHOLE if truth == WHOLE else _WHEN_BEGUN)[operation]
