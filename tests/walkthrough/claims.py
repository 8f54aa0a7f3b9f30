"""The article's claims, and the table of them that stands in ARTICLE.md."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

FILE = Path(__file__).with_name("claims.toml")


class Claim(BaseModel):
    """What the article says in one paragraph, and what becomes of it here."""

    model_config = ConfigDict(extra="forbid")

    paragraph: str
    """Its heading."""
    claim: str
    verdict: Literal["true", "true with a condition", "not so"]
    because: str
    command: str
    """What shows it."""
    story: str = ""
    """The story of make lab in which it can be watched, if it can."""


def read_claims() -> Mapping[str, Claim]:
    """Return the claims by a short name, in the article's order."""
    tables = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {name: Claim(**table) for name, table in tables.items()}


def table() -> str:
    """Return all claims as a Markdown table."""
    rows = ["| the article says | | because | see it | story of `make lab` |", "| --- | --- | --- | --- | --- |"]
    for claim in read_claims().values():
        story = f"[{claim.story}](http://127.0.0.1:5070/#{claim.story})" if claim.story else ""
        rows.append(f"| {claim.claim} | **{claim.verdict}** | {claim.because} | `{claim.command}` | {story} |")
    return "\n".join(rows)
