"""One laboratory for each twin, for all scenarios; what a scenario breaks is mended after it."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, create_engine, make_url

from tests.faultlab.laboratory import Laboratory
from tests.scenarios.article.running import Article, article_beside
from tests.support.logs import log_to
from tests.support.outside_world import OutsideWorldClient
from todo_stack.output import Log
from todo_stack.twins import RESTATE, TWINS, Twin

DELETE_SECONDS = 10
"""How long the Restate twin tries a delete here: longer than the outages that it is to survive, and soon waited out."""

Laboratories = Callable[[Twin], Laboratory]

only_plain, only_restate = (pytest.mark.parametrize("lab", [twin], ids=str, indirect=True) for twin in TWINS)


@pytest.fixture(scope="package")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """What takes the output of all servers: a file beside their data."""
    with log_to(tmp_path_factory.mktemp("scenarios") / "servers.log") as log:
        yield log


@pytest.fixture(scope="package")
def laboratories(tmp_path_factory: pytest.TempPathFactory, log: Log) -> Iterator[Laboratories]:
    """The laboratory of each twin, started when it is first asked for."""
    started: dict[Twin, Laboratory] = {}
    with contextlib.ExitStack() as stack:

        def laboratory(which: Twin) -> Laboratory:
            if which not in started:
                environment = {"DELETE_MAX_DURATION_SECONDS": str(DELETE_SECONDS)}
                data = tmp_path_factory.mktemp(which.key) / "data"
                lab = Laboratory(which, data, log, environment, with_outside_world=True)
                started[which] = stack.enter_context(lab)
            return started[which]

        yield laboratory


@pytest.fixture(params=TWINS, ids=str)
def lab(request: pytest.FixtureRequest, laboratories: Laboratories) -> Iterator[Laboratory]:
    """The laboratory of each twin in turn."""
    laboratory = laboratories(request.param)
    yield laboratory
    laboratory.heal()


@pytest.fixture
def world(lab: Laboratory) -> OutsideWorldClient:
    """The outside world, as far as it is about the twin's todos: what counts is what it did."""
    return OutsideWorldClient(lab.stack.ports.outside_world_url, lab.which.key)


@pytest.fixture
def engine(lab: Laboratory) -> Iterator[Engine]:
    """The plain twin's way to its database, through the proxy."""
    address = make_url(lab.server("web").env["DATABASE_URL"]).set(drivername="postgresql+psycopg2")
    engine = create_engine(address, pool_pre_ping=True)
    yield engine
    engine.dispose()


@pytest.fixture(scope="package")
def article_running(laboratories: Laboratories, log: Log) -> Iterator[Article]:
    """The article's service, beside the Restate twin."""
    with article_beside(laboratories(RESTATE), log) as article:
        yield article


@pytest.fixture
def article(article_running: Article) -> Iterator[Article]:
    """The article's service, running when a scenario begins, with nothing left to do when it ends."""
    # A laboratory that is started anew, after a power cut, ends what runs beside it.
    article_running.start()
    yield article_running
    article_running.heal()
    article_running.lab.heal()


@pytest.fixture
def meanwhile() -> Iterator[ThreadPoolExecutor]:
    """Threads for users who wait while something happens."""
    with ThreadPoolExecutor(4) as threads:
        yield threads
