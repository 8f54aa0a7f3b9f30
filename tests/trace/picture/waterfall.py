"""The spans of an add as the rows of a waterfall: who called whom, when, and what became of it."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from tests.trace.followed import ATTEMPT, CLICK, Followed
from tests.trace.sink import SpanRecord

QUIET_MS = 10
"""Where nothing begins or ends for longer than this, time is drawn as if it had been so long."""
NEVER_SENT = "span never sent"
COMMIT = "COMMIT"


@dataclass(frozen=True)
class Bar:
    """Something that lasted, in nanoseconds since the epoch."""

    begin: int
    end: int

    @property
    def milliseconds(self) -> float:
        """How long."""
        return (self.end - self.begin) / 1e6


@dataclass
class Row:
    """A span, or several attempts that were alike."""

    name: str
    where: str
    """Who was at work: client, web, restate, service or database."""
    bars: list[Bar]
    depth: int = 0
    note: str = ""
    state: str = ""
    """`failed`; `lost` if it is no span, because its process was killed before it could send one."""
    children: list["Row"] = field(default_factory=list)

    @property
    def begin(self) -> int:
        """When it began."""
        return self.bars[0].begin

    @property
    def milliseconds(self) -> str:
        """How long it took, for people; nothing if that is not known."""
        return "" if self.state == "lost" else f"{sum(bar.milliseconds for bar in self.bars):,.1f}"


def rows(followed: Followed) -> list[Row]:
    """Return the rows from the top; those of a span come below it, indented."""
    spans = {span.span_id: span for span in followed.spans}
    made = {span.span_id: _row(span, followed) for span in followed.spans}
    orphans: dict[str, list[Row]] = {}
    roots = []
    for span in followed.spans:
        row = made[span.span_id]
        if not span.parent_id:
            roots.append(row)
        elif span.parent_id in made:
            made[span.parent_id].children.append(row)
        else:
            orphans.setdefault(span.parent_id, []).append(row)
    for children in orphans.values():
        # Their parent died with its process. Whoever had called that was at work when the first of them began.
        around = [span for span in spans.values() if span.begin <= children[0].begin <= span.end]
        caller = made[max((span for span in around if span.kind != "client" or span.name == CLICK), key=_begin).span_id]
        caller.children.append(_lost(followed, caller.where, children))
    return [row for root in roots for row in _flat(root, 0)]


def _begin(span: SpanRecord) -> int:
    return span.begin


def _lost(followed: Followed, caller: str, children: list[Row]) -> Row:
    """Return what is known of a span that was never sent: what it did, by its children and by the wire."""
    note = "its process was killed before"
    at_work = "web" if caller == "client" else "service"
    commit = Row(
        COMMIT, "database", [Bar(followed.commit, followed.killed)], 0, "done; its answer never came", "lost", []
    )
    bar = Bar(children[0].begin, followed.killed)
    return Row(NEVER_SENT, at_work, [bar], 0, note, "lost", [*children, commit])


def _flat(row: Row, depth: int) -> Iterator[Row]:
    row.depth = depth
    yield row
    for child in _together(sorted(row.children, key=lambda child: child.begin)):
        yield from _flat(child, depth + 1)


def _together(children: Sequence[Row]) -> list[Row]:
    """Return them with the attempts numbered, and those that found nobody in one row."""
    found: list[Row] = []
    number = 0
    for child in children:
        if child.name != ATTEMPT:
            found.append(child)
            continue
        number += 1
        before = found[-1] if found else None
        if before and before.state == "failed" and not (before.children or child.children) and child.state == "failed":
            before.bars += child.bars
            before.name = f"{before.name.partition(' to ')[0].replace('attempt ', 'attempts ')} to {number}"
            continue
        child.name = f"attempt {number}"
        if child.state == "failed":
            child.note = "killed" if child.children else "nobody there yet"
        found.append(child)
    return found


def _row(span: SpanRecord, followed: Followed) -> Row:
    row = Row(_name(span), _where(span), [Bar(span.begin, span.end)], state="failed" if span.failed else "")
    if span.name == CLICK:
        row.note = f"was told: {followed.told}"
    elif "ledger hit" in span.events:
        row.note = "ledger hit: the result of attempt 1"
    elif span.failed:
        row.note = span.message
    elif status := span.attributes.get("http.response.status_code") or span.attributes.get("http.status_code"):
        row.note = f"answered {status}"
    return row


def _name(span: SpanRecord) -> str:
    """Return the name of a span; of a statement, with its table."""
    first, *more = span.name.split()
    if span.service == "Restate":
        return first
    words = str(span.attributes.get("db.statement", "")).split()
    tables = [after for word, after in pairwise(words) if word in ("INTO", "FROM", "UPDATE")]
    if {"http.url", "url.full"} & span.attributes.keys() and not more:
        # The span tells the ingress only by its address. There is nobody else whom a web calls for an add.
        return f"{first} to Restate"
    return " ".join([span.name, *(tables or words[1:])]) if words else span.name


def _where(span: SpanRecord) -> str:
    if "db.system" in span.attributes:
        return "database"
    return {"client": "client", "Restate": "restate"}.get(
        span.service, "service" if span.service.endswith(" service") else "web"
    )


class Scale:
    """Where a moment is drawn, in percent of the width. Quiet time is drawn shorter than it was."""

    def __init__(self, drawn: Sequence[Row], *moments: int) -> None:
        self._at = sorted({*moments, *(at for row in drawn for bar in row.bars for at in (bar.begin, bar.end))})
        widths = [min((after - before) / 1e6, QUIET_MS) for before, after in pairwise(self._at)]
        self._drawn = [0.0, *accumulate(widths)]

    def __call__(self, moment: int) -> float:
        """Return where a moment is."""
        after = min(max(bisect_right(self._at, moment), 1), len(self._at) - 1)
        (begin, end), (left, right) = self._at[after - 1 : after + 1], self._drawn[after - 1 : after + 1]
        share = (moment - begin) / (end - begin)
        return round(100 * (left + share * (right - left)) / self._drawn[-1], 3)

    def quiet(self) -> list[tuple[float, float]]:
        """Return from where to where time is drawn shorter."""
        return [(self(a), self(b)) for a, b in pairwise(self._at) if (b - a) / 1e6 > QUIET_MS]
