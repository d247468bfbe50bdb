"""Events as they came, kept for good, and the facts that are derived from them.

An event is known by its source and its key, a fact by what it says: to append either again changes nothing, so an import may be
broken off anywhere and repeated, and the order in which events come doesn't matter. Of a fact that several events tell, the
earliest time holds. A fact says nothing of the event that told it; `rebuild` makes all facts anew.
"""

import hashlib
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from kilonova.database.database import Database, Transaction
from kilonova.database.prepared import Prepared
from kilonova.database.tables import health_database as tables

COMPRESSION = 1
"""zlib's level for payloads: the fastest, which makes comments four times smaller."""
REBUILD_BATCH = 2000
"""Events that are derived from at a time."""


class Event(msgspec.Struct, frozen=True):
    """Something that happened, as a source told it."""

    source: str
    """Who told it, e.g. `gerrit:review.example.org`."""
    key: str
    """What makes it known again when it is told twice."""
    kind: str
    """What reads it and what it is, with a dot between: `gerrit.comment-added`."""
    at: float
    """When it happened, in seconds since the epoch."""
    payload: bytes
    """As it came."""


class Fact(msgspec.Struct, frozen=True):
    """What events say, in our own terms."""

    kind: str
    subject: str
    """What it is about, e.g. `review.example.org/4711`."""
    at: float
    """Since when it is so, in seconds since the epoch."""
    body: bytes

    @property
    def key(self) -> str:
        """The same for the same fact, whenever it was told."""
        told = "\0".join((self.kind, self.subject)).encode() + b"\0" + self.body
        return hashlib.blake2b(told, digest_size=16).hexdigest()


Derive = Callable[[Event], Iterable[Fact]]
"""Reads the facts out of an event; a pure function."""


class Cursor(msgspec.Struct, frozen=True):
    """How far a source has been read."""

    name: str
    position: str


class Appended(msgspec.Struct, frozen=True):
    """What became of events."""

    new: int
    known: int


class EventStore:
    """Keeps events and facts in one database."""

    def __init__(self, database: Database, derives: Mapping[str, Derive]) -> None:
        """`derives` by the part of an event's kind before the dot; events of other kinds are kept and mean nothing."""
        self.database = database
        self._derives = dict(derives)

    async def append(
        self,
        events: Sequence[Event],
        cursor: Cursor | None = None,
        until: Mapping[str, float] | None = None,
        facts: Sequence[Sequence[Fact]] | None = None,
    ) -> Appended:
        """Keep events, what they say, and how far their source is read: all of it or nothing.

        Args:
            events: those that are known already are left as they are, and what they say now counts for nothing.
            cursor: where to go on after this.
            until: by source, the time before which nothing is missing.
            facts: what each of the events says, where the caller has derived it already.
        """
        if facts is None:
            facts = [list(self.derived(event)) for event in events]
        return await self.database.write(append_txn, events, facts, cursor, until or {})

    async def rebuild(self) -> int:
        """Make every fact anew from the events; how many facts there are."""
        return await self.database.write(_rebuild_txn, self.derived)

    def derived(self, event: Event) -> Iterable[Fact]:
        """The facts in an event."""
        derive = self._derives.get(event.kind.partition(".")[0])
        return () if derive is None else derive(event)

    async def position(self, name: str) -> str | None:
        """Where to go on reading; None at the beginning."""
        return await self.database.read(_position_txn, name)


_EVENT = Prepared(insert(tables.events).on_conflict_do_nothing())
_LAST = select(func.max(tables.events.c.seq))
_AFTER = Prepared(select(tables.events.c.source, tables.events.c.key).where(tables.events.c.seq > bindparam("last")))
_FACT_INSERT = insert(tables.facts)
_FACT = Prepared(
    _FACT_INSERT.on_conflict_do_update(
        index_elements=["key"],
        set_={"at": _FACT_INSERT.excluded.at},
        where=_FACT_INSERT.excluded.at < tables.facts.c.at,
    )
)
_CURSOR_INSERT = insert(tables.cursors)
_CURSOR = _CURSOR_INSERT.on_conflict_do_update(
    index_elements=["name"],
    set_={"position": _CURSOR_INSERT.excluded.position, "updated_at": _CURSOR_INSERT.excluded.updated_at},
)
_READ_INSERT = insert(tables.reads)
_READ = _READ_INSERT.on_conflict_do_update(
    index_elements=["source"],
    set_={"until": _READ_INSERT.excluded.until},
    where=_READ_INSERT.excluded.until > tables.reads.c.until,
)
_ABOUT = Prepared(
    select(tables.facts)
    .where(tables.facts.c.subject == bindparam("about"), tables.facts.c.at <= bindparam("moment"))
    .order_by(tables.facts.c.at, tables.facts.c.key)
)


def append_txn(
    tx: Transaction,
    events: Sequence[Event],
    facts: Sequence[Sequence[Fact]],
    cursor: Cursor | None,
    until: Mapping[str, float],
) -> Appended:
    """See `EventStore.append`."""
    new = set()
    if events:
        last = tx.execute(_LAST).scalar() or 0
        tx.execute(_EVENT, [_event_row(event, tx.now) for event in events])
        new = {(row.source, row.key) for row in tx.execute(_AFTER, {"last": last})}
        _facts_write_txn(tx, _of_new(new, events, facts))
    if cursor is not None:
        tx.execute(_CURSOR, {"name": cursor.name, "position": cursor.position, "updated_at": tx.now})
    if until:
        tx.execute(_READ, [{"source": source, "until": moment} for source, moment in until.items()])
    return Appended(len(new), len(events) - len(new))


def facts_about_txn(tx: Transaction, subject: str, at: float) -> list[Fact]:
    """What was known of `subject` at the moment `at`, in the order in which it came to be."""
    return [_fact(row) for row in tx.execute(_ABOUT, {"about": subject, "moment": at})]


def facts_of_kinds_txn(tx: Transaction, kinds: Sequence[str], since: float, at: float) -> list[Fact]:
    """The facts of some kinds that came to be from `since` to `at`, in that order."""
    c = tables.facts.c
    asked = select(tables.facts).where(c.kind.in_(kinds), c.at >= since, c.at <= at).order_by(c.at, c.key)
    return [_fact(row) for row in tx.execute(asked)]


def known_until_txn(tx: Transaction) -> dict[str, float]:
    """By source, the time before which nothing is missing."""
    return {row.source: row.until for row in tx.execute(select(tables.reads))}


def event_counts_txn(tx: Transaction) -> dict[str, int]:
    """How many events there are, by source."""
    c = tables.events.c
    counted = select(c.source, func.count().label("events")).group_by(c.source).order_by(c.source)
    return {row.source: row.events for row in tx.execute(counted)}


def events_txn(tx: Transaction, after: int = 0, limit: int = REBUILD_BATCH) -> list[tuple[int, Event]]:
    """The next events after number `after`, each with its number."""
    c = tables.events.c
    rows = tx.execute(select(tables.events).where(c.seq > after).order_by(c.seq).limit(limit))
    return [(row.seq, Event(row.source, row.key, row.kind, row.at, zlib.decompress(row.payload))) for row in rows]


def _rebuild_txn(tx: Transaction, derived: Derive) -> int:
    tx.execute(delete(tables.facts))
    for batch in _batches(tx):
        _facts_write_txn(tx, [fact for event in batch for fact in derived(event)])
    return int(tx.execute(select(func.count()).select_from(tables.facts)).scalar_one())


def _batches(tx: Transaction) -> Iterator[list[Event]]:
    after = 0
    while found := events_txn(tx, after):
        yield [event for _, event in found]
        after = found[-1][0]


def _facts_write_txn(tx: Transaction, facts: Sequence[Fact]) -> None:
    if facts:
        rows = [{"key": f.key, "kind": f.kind, "subject": f.subject, "at": f.at, "body": f.body} for f in facts]
        tx.execute(_FACT, rows)


def _of_new(new: Collection[tuple[str, str]], events: Sequence[Event], facts: Sequence[Sequence[Fact]]) -> list[Fact]:
    """What the new events say; of those that are told twice at once, the first is the one that was kept."""
    left = set(new)
    found: list[Fact] = []
    for event, said in zip(events, facts, strict=True):
        if (event.source, event.key) in left:
            left.remove((event.source, event.key))
            found += said
    return found


def _position_txn(tx: Transaction, name: str) -> str | None:
    return tx.execute(select(tables.cursors.c.position).where(tables.cursors.c.name == name)).scalar()


def _event_row(event: Event, now: float) -> dict[str, object]:
    payload = zlib.compress(event.payload, COMPRESSION)
    return {
        "source": event.source,
        "key": event.key,
        "kind": event.kind,
        "at": event.at,
        "received_at": now,
        "payload": payload,
    }


def _fact(row: Row[Any]) -> Fact:
    return Fact(row.kind, row.subject, row.at, row.body)
