"""The claims stand for the article's paragraphs, and lead to what shows them."""

import re
from pathlib import Path

import pytest

from tests.faultlab.live.stories import STORIES
from tests.faultlab.matrix.rules import GIVES_UP
from tests.faultlab.picture.markdown import published_run
from tests.support.history import Verdict
from tests.walkthrough.claims import Claim, read_claims
from tests.walkthrough.document import TESTED_ELSEWHERE
from todo_stack.paths import REPOSITORY
from todo_stack.twins import PLAIN, RESTATE

CLAIMS = read_claims()
ARTICLE, DECIDE = (
    (REPOSITORY / RESTATE.title / name).read_text(encoding="utf-8") for name in ("ARTICLE.md", "DECIDE.md")
)


def test_each_story_shows_a_claim() -> None:
    """Each story of the lab is named by a claim, and each claim names one that exists, or none."""
    assert {claim.story for claim in CLAIMS.values() if claim.story} == set(STORIES)


def test_in_the_order_of_the_article() -> None:
    """The claims stand in the order of their paragraphs."""
    places = [ARTICLE.index(f"\n## {claim.paragraph}\n") for claim in CLAIMS.values()]
    assert places == sorted(places)


def test_figures_are_of_the_published_run() -> None:
    """What the pages say in words of so many faults is what the published run has counted."""
    cells = published_run().cells
    adds = [cell for cell in cells if (cell.twin, cell.operation, cell.client) == (PLAIN.key, "add", GIVES_UP)]
    failed, because = sum(one.verdict is not Verdict.EXACTLY_ONCE for one in adds), CLAIMS["commit-can-fail"].because
    assert f"Of the {len(adds)} faults that are tried during an add, {failed} leave" in because
    assert "\nNearly seven thousand writes" in DECIDE
    assert 6_900 < len(cells) < 7_000


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_claim(claim: Claim) -> None:
    """A claim is of a paragraph that ARTICLE.md has, and its command exists."""
    assert f"\n## {claim.paragraph}\n" in ARTICLE
    assert TESTED_ELSEWHERE.fullmatch(claim.command) or claim.command.startswith("diff -r ")
    for path in re.findall(r"tests/\S+|flask-todo\S+", claim.command):
        assert Path(REPOSITORY / path.removeprefix("ARGS=")).exists()
