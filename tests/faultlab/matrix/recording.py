"""Records what an undisturbed operation consists of, and what there is of it at each of its messages: its seams.

    python -m tests.faultlab.matrix.recording [operation]...    # writes seams.json; all operations by default

A step that is added to a feature is then in the matrix by itself. The tests, and each run of the matrix, compare
seams.json with what passes, so that it cannot be forgotten.
"""

import json
import re
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.faultlab.laboratory import SERVICE, Laboratory
from tests.faultlab.matrix.recorder import Recorder
from tests.faultlab.matrix.seams import RECORDED, SEAMS, SeamKind, kind_of, seams_of
from tests.faultlab.submitted import SubmittedOperation, submit
from tests.faultlab.wire.events import EventKind, LinkEvent
from tests.faultlab.wire.messages import Match, Message
from tests.support.control import COMPARED, operations_of
from tests.support.history import WHOLE, Outcome, Truth
from tests.support.running_twin import new_key
from tests.support.truth import FEATURES, OPERATIONS, count_effects, prepare, wait_for_reminders
from tests.support.waiting import until

Rows = list[dict[str, Any]]

TOGETHER = 20


def new_operation(lab: Laboratory, kind: str) -> SubmittedOperation:
    """Return an operation for which everything is prepared."""
    operation = SubmittedOperation(kind, f"{kind} {uuid4().hex}", new_key())
    prepare(lab.twin, operation)
    return operation


def record(lab: Laboratory, kind: str) -> Rows:
    """Let an operation pass undisturbed, and return its messages in their order: seam, link, and what it is called."""
    operation = new_operation(lab, kind)
    recorder = Recorder([operation])
    passed: list[tuple[SeamKind, LinkEvent]] = []

    def take(event: LinkEvent) -> None:
        recorder.record(event)
        message = event.message if event.kind in (EventKind.PASSED, EventKind.RELEASED) else None
        if not message or not recorder.traces.owners(message):
            return
        part = kind_of(event.link, message)
        # In a feature, which has many statements, an answer to one tells nothing that its COMMIT does not.
        if part and not (part.name == "row" and kind in FEATURES):
            passed.append((part, event))

    # What is done behind the client's back may overtake its answer, or not: here it waits for that.
    background = None
    if lab.which.durable:
        background = lab.links[SERVICE].hold(_sent_invocation(recorder))
    ended = lab.log.subscribe(take)
    try:
        submit(lab.twin, operation, threading.Event(), None)
        assert operation.outcome is Outcome.OK, f"{kind}: {operation.outcome}, {operation.detail}, {operation.answer}"
        if background:
            background.portal.call(background.end)
        until(lambda: _is_whole(lab, operation), f"all of {kind}", 30)
        wait_for_end(lab)
    finally:
        ended()
    return [{"seam": part.name, "link": event.link, "message": _called(part, event.message)} for part, event in passed]


def add_truths(lab: Laboratory, kind: str, rows: Rows) -> None:
    """Hold an operation at each of its messages, and add to that what there is of the operation meanwhile."""
    every = seams_of(lab.which, kind, rows)
    # Not so many together that the first is given up before the last is held; and the plain twin's job for reminders
    # sends one after the other.
    number = 1 if kind == "remind" and not lab.which.durable else TOGETHER
    truths: list[Truth | None] = []
    for seams in (every[i : i + number] for i in range(0, len(every), number)):
        with ThreadPoolExecutor(4) as pool:
            operations = list(pool.map(lambda _: new_operation(lab, kind), seams))
        recorder = Recorder(operations)
        ended = lab.log.subscribe(recorder.record)
        with ThreadPoolExecutor(len(seams)) as pool:
            try:
                points = [
                    lab.links[seam.link].hold(seam.match(recorder.traces, operation))
                    for seam, operation in zip(seams, operations, strict=True)
                ]
                for operation in operations:
                    pool.submit(submit, lab.twin, operation, threading.Event(), None)
                for point in points:
                    point.wait()
                count_effects(lab.twin, operations)
            finally:
                lab.heal_links()
        truths += [operation.truth for operation in operations]
        wait_for_end(lab)
        wait_for_reminders(lab.twin, operations)
        ended()
    for seam, truth in zip(every, truths, strict=True):
        # Not each message is a seam, but each seam is one, the so-manieth of its kind.
        row = [row for row in rows if row["seam"] == seam.kind.name][seam.number - 1]
        if truth and any(truth) and not seam.racing:
            row["truth"] = {name: value for name, value in truth._asdict().items() if value}


def wait_for_end(lab: Laboratory) -> None:
    """Wait until nothing that was begun is going on."""
    assert lab.twin.settle() == []
    until(lambda: not lab.busy_sessions(), "a quiet database")


def changed(lab: Laboratory, kinds: Sequence[str]) -> list[str]:
    """Return what passes in another way than seams.json has it."""
    found = []
    for kind in kinds:
        passes = [(seam.name, seam.message) for seam in seams_of(lab.which, kind, record(lab, kind))]
        if passes != [(seam.name, seam.message) for seam in SEAMS[lab.which].get(kind, [])]:
            found.append(f"{lab.which}, {kind}: {', '.join(f'{name} ({message})' for name, message in passes)}")
    return found


def _sent_invocation(recorder: Recorder) -> Match:
    """Recognise what Restate begins for an operation that has sent a one-way call."""
    seen: list[str] = []

    def match(message: Message) -> bool:
        part = kind_of(SERVICE, message) if recorder.traces.owners(message) else None
        seen.append(part.name if part else "")
        return seen[-1] == "invocation" and "send" in seen

    return match


def _is_whole(lab: Laboratory, operation: SubmittedOperation) -> bool:
    count_effects(lab.twin, [operation])
    return operation.truth == WHOLE


def _called(part: SeamKind, message: Message | None) -> str:
    """Return what a message is called, without what differs each time."""
    assert message
    question = getattr(message, "request", None) or getattr(message, "statement", None) or message
    words = question.name.split()
    if part.receiver == "database" and words[0] in ("INSERT", "DELETE"):
        return " ".join(words[:3])
    if part.receiver == "database":
        return " ".join(words[: 1 + (words[0] == "UPDATE")])
    path = [("…" if any(map(str.isdigit, step)) else step) for step in " ".join(words).split("/")]
    return "/".join(path)


def main(kinds: Sequence[str]) -> None:
    """Record these operations in both twins and the control."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    for twin in COMPARED:
        with (
            tempfile.TemporaryDirectory() as folder,
            Laboratory(twin, Path(folder) / "data", with_outside_world=True) as lab,
        ):
            lab.twin.add("warm-up")
            for kind in [kind for kind in kinds if kind in operations_of(twin)]:
                rows = record(lab, kind)
                add_truths(lab, kind, rows)
                recorded.setdefault(twin.key, {})[kind] = rows
    RECORDED.write_text(in_lines(recorded), encoding="utf-8")


def in_lines(recorded: dict[str, dict[str, Rows]]) -> str:
    """Return it as JSON with a line for each message."""
    text = json.dumps(recorded, indent=1, ensure_ascii=False)
    rows = [json.dumps(row, ensure_ascii=False) for kinds in recorded.values() for row in chain(*kinds.values())]
    lines = iter(rows)
    # A row is what is indented by three, up to its end.
    return re.sub(r"^   \{.*?^   \}", lambda _row: f"   {next(lines)}", text, flags=re.DOTALL | re.MULTILINE) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:] or OPERATIONS)
