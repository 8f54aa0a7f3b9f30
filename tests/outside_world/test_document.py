"""What its README tells a reader to type does what it says."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.outside_world import OutsideWorld
from tests.walkthrough.document import Reader
from tests.walkthrough.shell import bash
from todo_stack.paths import REPOSITORY
from todo_stack.ports import Ports


def test_readme(world: OutsideWorld, tmp_path: Path) -> None:
    """Each block prints what stands below it."""
    with bash(tmp_path, os.environ) as shell:
        reader = Reader(shell, tmp_path, {Ports().outside_world: urlsplit(world.url).port or 0})
        reader.follow(REPOSITORY / "shared" / "outside-world" / "README.md")
    assert reader.executed
