"""What comes of it when a request to the plain twin, whose client was not told that it worked, is submitted again."""

from tests.support.history import WHOLE, Truth, Verdict

_WHEN_WHOLE = {
    "add": (Verdict.DUPLICATED, "it is done a second time."),
    "update": (Verdict.EXACTLY_ONCE, "it sets the same text once more."),
    "delete": (Verdict.GHOST, "its client is told that there is nothing to delete."),
    "pay": (Verdict.GHOST, "its client is told that it is paid."),
    "refund": (Verdict.GHOST, "its client is told that nothing is paid."),
    "tell": (Verdict.EXACTLY_ONCE, "it is completed already, which tells nobody."),
}
_WHEN_BEGUN = {
    "pay": (Verdict.STUCK, "its client is told that it is being paid, and nobody looks whether it is."),
    "refund": (Verdict.EXACTLY_ONCE, "the provider knows it by its key, and it is recorded."),
    "tell": (Verdict.HALF_DONE, "it is completed already, which tells nobody."),
}


def submitted_again(operation: str, truth: Truth) -> tuple[Verdict, str]:
    """Return the verdict, and the end of the sentence that explains it, where some or all of it was there before."""
    return (_WHEN_WHOLE if truth == WHOLE else _WHEN_BEGUN)[operation]
