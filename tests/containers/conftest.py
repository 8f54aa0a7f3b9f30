"""Everything in this folder needs a container engine."""

from collections.abc import Iterator

import pytest

from tests.containers import engine
from tests.containers.project import Project, projects_up
from todo_stack.twins import TWINS, Twin


@pytest.fixture(autouse=True, scope="session")
def _engine() -> None:
    """Skip all tests of this folder where there is no engine."""
    engine.needed()


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Twin, Project]]:
    """Both twins, up at the same time."""
    with projects_up(tmp_path_factory.mktemp("clone")) as projects:
        yield projects


@pytest.fixture(params=TWINS, ids=str)
def project(request: pytest.FixtureRequest, both: dict[Twin, Project]) -> Project:
    """Each of the twins in turn; what a test has left stopped is started."""
    project = both[request.param]
    if set(project.containers()) != project.servers:
        project.up()
    return project
