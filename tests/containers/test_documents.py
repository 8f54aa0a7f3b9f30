"""What both twins' README files say about containers, typed in a fresh copy of the repository."""

from pathlib import Path

import pytest

from tests.containers.project import Project, copy_repository
from tests.walkthrough.document import Reader, numbers
from tests.walkthrough.shell import bash
from todo_stack.twins import TWINS, Twin


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_readme(twin: Twin, tmp_path: Path) -> None:
    """Each block for containers prints what stands below it."""
    copy_repository(tmp_path)
    project = Project(twin, tmp_path)
    try:
        with bash(tmp_path, project.env) as shell:
            reader = Reader(shell, tmp_path, numbers(project.ports), containers=True)
            reader.follow(project.folder / "README.md")
        assert reader.executed
    finally:
        project.down("--volumes")
