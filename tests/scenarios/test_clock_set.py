"""What happens when somebody sets the clock of the service's machine?

Restate signs what it sends to the service, and a signature holds for a minute. A service whose clock is wrong takes
each call for an old one, or for one of the future, and refuses it. The plain twin has no such service.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faultlab.laboratory import Laboratory
from tests.scenarios.changed import changed
from tests.scenarios.conftest import Laboratories, only_restate
from tests.support.history import Outcome, Verdict
from tests.support.user import add, new_name, verdict_on
from todo_stack.twins import RESTATE

HOUR = 3600


@pytest.fixture(scope="module")
def set_clock(laboratories: Laboratories, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], None]]:
    """What sets the clock of the service so many seconds forward or back, while it runs."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        pytest.skip("there is no libfaketime on this machine: on Debian, type 'apt install faketime'")
    file = tmp_path_factory.mktemp("clock") / "offset"

    def set_clock(seconds: int) -> None:
        file.write_text(f"{seconds:+d}\n")

    set_clock(0)
    service = laboratories(RESTATE).stack.servers[RESTATE.writer]
    clock = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        # Nobody sets this clock; time-outs go by it.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with changed(service, env={**service.env, **clock}):
        yield set_clock


@only_restate
@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["forward", "back"])
def test_clock_of_the_service(lab: Laboratory, set_clock: Callable[[int], None], seconds: int) -> None:
    """What is added while it is wrong is promised and not there; when it is right again, it is there once."""
    before, task = add(lab.twin, new_name("bread")), new_name("milk")
    assert verdict_on(lab.twin, before) is Verdict.EXACTLY_ONCE
    set_clock(seconds)
    added = add(lab.twin, task)
    meanwhile = lab.twin.tasks(task)
    set_clock(0)

    assert (added.outcome, meanwhile) == (Outcome.PENDING, [])
    assert verdict_on(lab.twin, added) is Verdict.EXACTLY_ONCE
