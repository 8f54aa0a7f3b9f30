"""The claims stand for the article's paragraphs, and lead to what shows them."""

import re
from pathlib import Path

import pytest

from tests.faultlab.live.stories import STORIES
from tests.walkthrough.claims import Claim, read_claims
from tests.walkthrough.document import TESTED_ELSEWHERE
from todo_stack.paths import REPOSITORY

CLAIMS = read_claims()
ARTICLE = (REPOSITORY / "flask-todo-restate" / "ARTICLE.md").read_text(encoding="utf-8")


def test_each_story_shows_a_claim() -> None:
    """Each story of the lab is named by a claim, and each claim names one that exists, or none."""
    assert {claim.story for claim in CLAIMS.values() if claim.story} == set(STORIES)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_claim(claim: Claim) -> None:
    """A claim is of a paragraph that ARTICLE.md has, and its command exists and is tried."""
    assert f"\n## {claim.paragraph}\n" in ARTICLE
    assert TESTED_ELSEWHERE.fullmatch(claim.command) or claim.command.startswith("diff -r ")
    for path in re.findall(r"tests/\S+|flask-todo\S+", claim.command):
        assert Path(REPOSITORY / path.removeprefix("ARGS=")).exists()
