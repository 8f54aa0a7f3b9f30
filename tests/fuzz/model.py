"""What must be in the database after operations of which some were told nothing: a model in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.support.history import ClientOperation, Outcome

GONE = None
NEVER_ARRIVED = "connection refused"
NOT_FOUND = "404"


@dataclass(eq=False)
class Effect:
    """What a write does, if it does. Its moments are numbers of submissions."""

    task: str | None
    """The task that its todo then has, or GONE."""
    began: int
    done_by: int | None = None
    """When its client was told that it worked: it was done by then. Otherwise it may be done at any time."""
    promised: bool = False
    """Whether its client was told that it worked, or that it will."""
    todo_id: int | None = None
    """The todo that was made or is meant. Of an add that was not told to work it is not known, a clear means all."""

    def comes_after(self, other: "Effect") -> bool:
        """Whether it cannot have been done before the other one was."""
        return other.done_by is not None and other.done_by < self.began


@dataclass
class Model:
    """The todos, as far as their client can know. `durable`: a key names one write, however often it is submitted."""

    durable: bool
    _adds: list[Effect] = field(default_factory=list)
    _others: list[Effect] = field(default_factory=list)
    _by_key: dict[str, Effect] = field(default_factory=dict)
    _first_answers: dict[str, object] = field(default_factory=dict)
    _submissions: int = 0

    def record(self, operation: ClientOperation) -> None:
        """Take in what the client was just told. Raises AssertionError if it contradicts what it was told before."""
        self._submissions += 1
        told, refusal = operation.outcome, operation.detail
        known = self.durable and operation.key in self._first_answers
        if told is Outcome.FAIL and refusal == NEVER_ARRIVED:
            return
        if told is Outcome.FAIL and refusal == NOT_FOUND and not known:
            assert any(self._gone_for(operation.todo_id)), f"{operation.kind} of a todo that must be there: not found"
            return
        assert not refusal.startswith("4"), f"{operation.kind} was refused: {refusal}"
        effect = self._effect_of(operation)
        if known:
            if told is Outcome.OK:
                assert operation.answer == self._first_answers[operation.key], "the same key got another answer"
            return
        if told in (Outcome.OK, Outcome.PENDING):
            effect.promised = True
        if told is Outcome.OK:
            effect.done_by = self._submissions
            self._first_answers.setdefault(operation.key, operation.answer)
            if operation.kind == "add":
                effect.todo_id = operation.answer["id"]

    def check(self, rows: Iterable[tuple[int, str]]) -> None:
        """Compare with ids and tasks in the database, when nothing is in flight; raises AssertionError."""
        tasks = dict(rows)
        for add in self._adds:
            if add.todo_id is not None:
                self._check_known(add, tasks)
        known = {add.todo_id for add in self._adds}
        unknown = [task for todo_id, task in tasks.items() if todo_id not in known]
        for name in {add.task for add in self._adds} | set(unknown):
            candidates = [add for add in self._adds if add.task == name and add.todo_id is None]
            sure = [add for add in candidates if add.promised and not any(self._gone(add))]
            there = unknown.count(str(name))
            assert len(sure) <= there, f"{name!r} is LOST: {there} times there"
            assert there <= len(candidates), f"{name!r} is DUPLICATED, or of nobody: {there} times more than told"

    def _check_known(self, add: Effect, tasks: dict[int, str]) -> None:
        """Check a todo whose id its client knows."""
        deletions = list(self._gone(add))
        task = tasks.get(add.todo_id or 0)
        if task is None:
            assert deletions, f"todo {add.task!r} is LOST"
            return
        assert not any(gone.promised and gone.comes_after(add) for gone in deletions), f"{task!r} came back"
        writes = [add, *(e for e in self._others if e.todo_id == add.todo_id and e.task is not GONE)]
        last = [e for e in writes if not any(later.promised and later.comes_after(e) for later in writes)]
        assert task in [e.task for e in last], f"{add.task!r} is now {task!r}, and not one of {[e.task for e in last]}"

    def _gone(self, add: Effect) -> Iterator[Effect]:
        """Yield what has deleted this todo, or may have."""
        for effect in self._others:
            if (
                effect.task is GONE
                and (effect.todo_id is None or effect.todo_id == add.todo_id)
                and not add.comes_after(effect)
            ):
                yield effect

    def _gone_for(self, todo_id: int | None) -> Iterator[Effect]:
        for add in self._adds:
            if add.todo_id == todo_id:
                yield from self._gone(add)

    def _effect_of(self, operation: ClientOperation) -> Effect:
        """Return the effect of this submission: a new one, unless the twin knows its key."""
        if self.durable and operation.key in self._by_key:
            return self._by_key[operation.key]
        task = operation.marker if operation.kind in ("add", "update") else GONE
        todo_id = None if operation.kind in ("add", "clear") else operation.todo_id
        effect = self._by_key[operation.key] = Effect(task, self._submissions, todo_id=todo_id)
        (self._adds if operation.kind == "add" else self._others).append(effect)
        return effect
