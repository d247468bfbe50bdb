"""What the store knows about changes, registries, waivers, as of a moment."""

from collections.abc import Iterable, Mapping
from itertools import groupby

import msgspec
from sqlalchemy import select

from kilonova.database.database import Transaction
from kilonova.database.tables import health_database as tables
from kilonova.health.ci.facts import EVERYTHING, KINDS, WAIVER_KINDS, Labelled, Waived, WaiverEnded, said_by
from kilonova.health.ci.history import Change, change_of, subjects_of_revisions
from kilonova.health.ci.registry import Registry, registry_read
from kilonova.health.ci.sources.results import PEOPLE, said_by_people
from kilonova.health.ci.waivers import Waiver
from kilonova.health.store import Event, EventStore, Fact, facts_about_txn, facts_of_kinds_txn, known_until_txn

REGISTRY = "ci.registry"
"""The kind of the fact that a registry is in force."""
SIGNATURES = "ci.signatures"
"""The kind of the fact that signatures are in force."""
_SUBJECTS_AT_ONCE = 500


class Archive:
    """Reads and writes what CI is about, on the event store."""

    def __init__(self, store: EventStore) -> None:
        """Everything is in `store`."""
        self.store = store
        self.database = store.database

    async def change(self, subject: str, at: float) -> Change | None:
        """One change; None where nothing names it."""
        return await self.database.read(change_txn, subject, at)

    async def changes(self, since: float, at: float) -> tuple[Change, ...]:
        """The changes of which something was told from `since` to `at`, by subject, each with all that was known of it."""
        return await self.database.scan(changes_txn, since, at)

    async def registry(self, at: float) -> Registry:
        """The registry in force; an empty one before the first."""
        text = await self.database.read(_newest_txn, REGISTRY, at)
        return Registry() if text is None else registry_read(text.decode())[0]

    async def registry_set(self, text: str, at: float) -> None:
        """Put a registry in force from `at` on."""
        await self.store.append([Event(PEOPLE, f"registry-{at}", "registry.set", at, text.encode())])

    async def signatures(self, at: float) -> dict[str, str]:
        """The signatures in force, each as it is written, by bug."""
        text = await self.database.read(_newest_txn, SIGNATURES, at)
        return {} if text is None else msgspec.json.decode(text, type=dict[str, str])

    async def signatures_set(self, documents: Mapping[str, str], at: float) -> None:
        """Put signatures in force from `at` on."""
        payload = msgspec.json.encode(documents)
        await self.store.append([Event(PEOPLE, f"signatures-{at}", "signatures.set", at, payload)])

    async def waivers(self, at: float) -> tuple[Waiver, ...]:
        """All waivers, those that have ended too."""
        return await self.database.read(_waivers_txn, at)

    async def say(self, said: Labelled | Waived | WaiverEnded, at: float, subject: str = EVERYTHING) -> None:
        """Keep what a person said."""
        await self.store.append([said_by_people(said, at, subject)])

    async def known_until(self) -> dict[str, float]:
        """By source, the time before which nothing is missing."""
        return await self.database.read(known_until_txn)


def put_in_force(event: Event) -> Iterable[Fact]:
    """The fact in the event that a registry or signatures were put in force."""
    kind = REGISTRY if event.kind.startswith("registry.") else SIGNATURES
    return (Fact(kind, EVERYTHING, event.at, event.payload),)


def change_txn(tx: Transaction, subject: str, at: float) -> Change | None:
    """See `Archive.change`."""
    facts = facts_about_txn(tx, subject, at)
    change = change_of(subject, facts)
    if change is None:
        return None
    more = [fact for one in subjects_of_revisions(change) for fact in facts_about_txn(tx, one, at)]
    return change_of(subject, [*facts, *more]) if more else change


def changes_txn(tx: Transaction, since: float, at: float) -> tuple[Change, ...]:
    """See `Archive.changes`."""
    c = tables.facts.c
    active = select(c.subject).where(c.kind.in_(KINDS), c.at >= since, c.at <= at, c.subject != EVERYTHING).distinct()
    subjects = sorted(tx.execute(active).scalars())
    found = []
    for begin in range(0, len(subjects), _SUBJECTS_AT_ONCE):
        some = subjects[begin : begin + _SUBJECTS_AT_ONCE]
        rows = tx.execute(select(tables.facts).where(c.subject.in_(some), c.at <= at).order_by(c.subject, c.at, c.key))
        for subject, group in groupby(rows, key=lambda row: str(row.subject)):
            change = change_of(subject, [Fact(row.kind, subject, row.at, row.body) for row in group])
            if change is not None:
                found.append(change_txn(tx, subject, at) if subjects_of_revisions(change) else change)
    return tuple(change for change in found if change is not None)


def _newest_txn(tx: Transaction, kind: str, at: float) -> bytes | None:
    facts = facts_of_kinds_txn(tx, [kind], 0.0, at)
    return facts[-1].body if facts else None


def _waivers_txn(tx: Transaction, at: float) -> tuple[Waiver, ...]:
    facts = facts_of_kinds_txn(tx, WAIVER_KINDS, 0.0, at)
    told = [(fact, said_by(fact)) for fact in facts]
    ended = {said.id: fact.at for fact, said in told if isinstance(said, WaiverEnded)}
    return tuple(
        Waiver(fact.subject, fact.at, said, ended.get(said.id)) for fact, said in told if isinstance(said, Waived)
    )
