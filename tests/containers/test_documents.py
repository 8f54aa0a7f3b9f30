"""What pages say about containers: both twins', typed in a fresh copy of the repository, and flask-restate's."""

import os
import sys
from pathlib import Path

import pytest

from tests.containers.project import Project, copy_repository
from tests.walkthrough.document import Reader, numbers
from tests.walkthrough.shell import bash
from todo_stack.paths import REPOSITORY
from todo_stack.twins import RESTATE, TWINS, Twin


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_pages(twin: Twin, tmp_path: Path) -> None:
    """Each block for containers prints what stands below it. Who operates the twin goes on where its README ends."""
    copy_repository(tmp_path)
    project = Project(twin, tmp_path)
    try:
        for page in filter(Path.exists, (project.folder / "README.md", project.folder / "OPERATIONS.md")):
            with bash(tmp_path, project.env) as shell:
                reader = Reader(shell, tmp_path, numbers(project.ports), containers=True)
                reader.follow(page)
            assert reader.executed
    finally:
        project.down("--volumes")


@pytest.mark.whole
def test_cluster_page(tmp_path: Path) -> None:
    """So does each block for containers of the page about a cluster."""
    copy_repository(tmp_path)
    project = Project(RESTATE, tmp_path, tmp_path / RESTATE.title / "compose.cluster.yaml")
    try:
        with bash(tmp_path, project.env) as shell:
            reader = Reader(shell, tmp_path, numbers(project.ports), containers=True)
            reader.follow(project.folder / "CLUSTER.md")
        assert reader.executed
    finally:
        project.down("--volumes")


def test_handler_of_a_reader(tmp_path: Path, new_database: str) -> None:
    """The test that flask-restate's README gives its readers runs with a server in a container, too."""
    env = os.environ | {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "DATABASE_URL": new_database.replace("postgresql:", "postgresql+psycopg2:"),
    }
    with bash(tmp_path, env) as shell:
        reader = Reader(shell, tmp_path, {}, containers=True)
        reader.follow(REPOSITORY / "flask-todo-restate" / "flask-restate" / "README.md")
    assert reader.executed
