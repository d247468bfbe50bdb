"""From the placement database into a fleet; the only part of this package that does I/O.

What changed is told by `provider_changes` (see the package's front page). Its numbers are read before the providers, so that
what is read is at least as new as they say; reading a provider twice does no harm.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, func, or_, select

from kilonova.database.database import Database, Transaction
from kilonova.kernel.errors import Unavailable
from kilonova.placement import store, tables
from kilonova.placement.queries import IN_MAX
from kilonova.placement.search.fleet import Facts, Fleet, Stock

TRANSACTION_MAX_S = 60.0
"""No transaction that changes providers stays open for longer."""
GAP_MAX = 1000
"""Most numbers that are waited for. Where more are not there, all providers are read anew."""
CHANGES_MAX = 2000
"""Most changes that are read one by one. Where there are more, all providers are read anew."""
FEW = 20
"""Most providers that are read on the loop."""
FEW_USED = 300
"""Most providers of which what is used is read on the loop."""
EMPTY_MIN = 1000
"""Fewest empty rows for which a fleet is made anew."""
CHANGES_KEPT_S = 3600.0
"""How long a change is kept to be read; a fleet that nobody asked for so long is made anew."""
FORGET_EVERY = 10_000
"""After so many changes the old ones are deleted."""

_CHANGES = tables.provider_changes.c


class Seen(msgspec.Struct, frozen=True):
    """Which changes were read."""

    last: int
    """The highest number."""
    missing: Mapping[int, float]
    """Lower numbers that were not there, each with the time when that was noticed: somebody may yet commit them."""


class LiveFleet:
    """A fleet that is as fresh as its database whenever it is asked for."""

    def __init__(self, database: Database) -> None:
        """Nothing is read before it is asked for."""
        self._database = database
        self._fleet: Fleet | None = None
        self._seen = Seen(0, {})
        self._forgotten = 0
        self._one_at_a_time = asyncio.Lock()

    async def fresh(self) -> Fleet:
        """The providers, with all that was committed before the call. To be used before the next `await`.

        Raises `Unavailable`.
        """
        async with self._one_at_a_time:
            return await self._refreshed()

    async def known(self) -> Fleet:
        """The providers as somebody saw them last: for a choice that a claim will judge anyway. To be used as `fresh`.

        Raises `Unavailable` where nobody has asked yet.
        """
        return self._fleet if self._fleet is not None else await self.fresh()

    @asynccontextmanager
    async def steady(self) -> AsyncIterator[Fleet]:
        """The providers like `fresh`, for work that awaits: until the block ends nobody changes them, and who asks waits.

        Raises `Unavailable`.
        """
        async with self._one_at_a_time:
            yield await self._refreshed()

    async def _refreshed(self) -> Fleet:
        fleet = self._fleet
        if fleet is None or len(fleet.uuids) > 2 * len(fleet.row_of) + EMPTY_MIN:
            return await self._load()
        changes = await self._database.read(changes_txn, self._seen)
        if changes is None:
            return await self._load()
        changed, seen = changes
        whole = [uuid for uuid, only_used in changed.items() if not only_used]
        used = [uuid for uuid, only_used in changed.items() if only_used]
        if whole:
            read = self._database.read if len(whole) <= FEW else self._database.scan
            _bring_up(fleet, whole, await read(facts_txn, whole))
        if used:
            look = self._database.read if len(used) <= FEW_USED else self._database.scan
            for uuid, amounts in (await look(used_txn, used)).items():
                fleet.use(uuid, amounts)
        self._seen = seen
        await self._forget()
        return fleet

    async def _load(self) -> Fleet:
        fleet, self._seen = await self._database.scan(load_txn)
        self._fleet = fleet
        return fleet

    async def _forget(self) -> None:
        """Delete changes that everybody has read, now and then; when the database can't now, then another time."""
        if self._seen.last - self._forgotten >= FORGET_EVERY:
            self._forgotten = self._seen.last
            with contextlib.suppress(Unavailable):
                await self._database.write(lambda tx: store.changes_forget_txn(tx, tx.now - CHANGES_KEPT_S))


def load_txn(tx: Transaction) -> tuple[Fleet, Seen]:
    """All providers, in the order in which they were made."""
    newest = tx.execute(select(_CHANGES.seq).order_by(_CHANGES.seq.desc()).limit(GAP_MAX)).scalars().all()
    seen = seen_after(Seen(newest[-1] - 1 if newest else 0, {}), newest[::-1], tx.now)
    fleet = Fleet()
    providers = tables.providers.c
    uuids = tx.execute(select(providers.uuid).order_by(providers.created_at, providers.uuid)).scalars().all()
    for at in range(0, len(uuids), IN_MAX):
        fleet.put_all(facts_txn(tx, uuids[at : at + IN_MAX]))
    return fleet, seen


_SINCE = select(_CHANGES.seq, _CHANGES.provider_uuid, _CHANGES.only_used).order_by(_CHANGES.seq).limit(CHANGES_MAX)
_AFTER = _SINCE.where(_CHANGES.seq > bindparam("last"))
_AFTER_OR_MISSING = _SINCE.where(
    or_(_CHANGES.seq > bindparam("last"), _CHANGES.seq.in_(bindparam("missing", expanding=True)))
)


def changes_txn(tx: Transaction, seen: Seen) -> tuple[dict[str, bool], Seen] | None:
    """The providers that were changed since, each with whether only what is used of it was; None when all must be read anew."""
    if seen.missing:
        rows = tx.execute(_AFTER_OR_MISSING, {"last": seen.last, "missing": sorted(seen.missing)}).fetchall()
    else:
        rows = tx.execute(_AFTER, {"last": seen.last}).fetchall()
    if not rows and not seen.missing:
        return {}, seen
    numbers = [row.seq for row in rows]
    first = next((number for number in numbers if number > seen.last), seen.last + 1)
    if first > seen.last + 1 and tx.execute(select(func.min(_CHANGES.seq))).scalar_one() > seen.last + 1:
        return None  # the next ones were deleted already
    after = seen_after(seen, numbers, tx.now)
    if len(rows) == CHANGES_MAX or len(after.missing) > GAP_MAX:
        return None
    changed: dict[str, bool] = {}
    for row in rows:
        changed[row.provider_uuid] = row.only_used and changed.get(row.provider_uuid, True)
    return changed, after


def seen_after(seen: Seen, numbers: Sequence[int], now: float) -> Seen:
    """What is seen when `numbers`, in order, were read at the time `now`."""
    read = set(numbers)
    last = max(seen.last, numbers[-1]) if numbers else seen.last
    missing = {number: since for number, since in seen.missing.items() if now - since <= TRANSACTION_MAX_S}
    if last - seen.last > len(read):  # else there can be no gap
        missing |= dict.fromkeys(range(seen.last + 1, min(last, seen.last + 2 * GAP_MAX + CHANGES_MAX)), now)
    return Seen(last, {number: since for number, since in missing.items() if number not in read})


_USED_IN = select(
    tables.inventories.c.provider_uuid, tables.inventories.c.resource_class, tables.inventories.c.used
).where(tables.inventories.c.provider_uuid.in_(bindparam("uuids", expanding=True)))


def used_txn(tx: Transaction, uuids: Sequence[str]) -> dict[str, dict[str, int]]:
    """What is used of these providers, by class."""
    found: dict[str, dict[str, int]] = {}
    for row in _rows(tx, _USED_IN, uuids):
        found.setdefault(row.provider_uuid, {})[row.resource_class] = row.used
    return found


def facts_txn(tx: Transaction, uuids: Sequence[str]) -> list[Facts]:
    """Those of the providers that exist, in the order in which they were made."""
    rows = _rows(tx, _PROVIDERS_IN, uuids)
    rows.sort(key=lambda row: (row.created_at, row.uuid))
    return _facts_txn(tx, rows)


def _bring_up(fleet: Fleet, changed: Collection[str], facts: Sequence[Facts]) -> None:
    """Let the providers in `changed` be as `facts` say; those without are gone."""
    there = {one.uuid for one in facts}
    for uuid in changed:
        if uuid not in there:
            fleet.remove(uuid)
    fleet.put_all(facts)


_PROVIDERS_IN = select(tables.providers).where(tables.providers.c.uuid.in_(bindparam("uuids", expanding=True)))
_STOCKS_IN = (
    select(tables.inventories)
    .where(tables.inventories.c.provider_uuid.in_(bindparam("uuids", expanding=True)))
    .order_by(tables.inventories.c.resource_class)
)
_TRAITS_IN = select(tables.provider_traits.c.provider_uuid, tables.provider_traits.c.trait).where(
    tables.provider_traits.c.provider_uuid.in_(bindparam("uuids", expanding=True))
)
_AGGREGATES_IN = select(tables.provider_aggregates).where(
    tables.provider_aggregates.c.provider_uuid.in_(bindparam("uuids", expanding=True))
)


def _rows(tx: Transaction, statement: Any, uuids: Sequence[str]) -> list[Row[Any]]:
    parts: Iterator[Sequence[str]] = (uuids[at : at + IN_MAX] for at in range(0, len(uuids), IN_MAX))
    return [row for part in parts for row in tx.execute(statement, {"uuids": part})]


def _facts_txn(tx: Transaction, rows: Sequence[Row[Any]]) -> list[Facts]:
    """What belongs to these rows of `providers`."""
    uuids = [row.uuid for row in rows]
    stocks: dict[str, dict[str, Stock]] = {}
    for row in _rows(tx, _STOCKS_IN, uuids):
        stocks.setdefault(row.provider_uuid, {})[row.resource_class] = Stock(
            capacity=row.capacity,
            used=row.used,
            min_unit=row.min_unit,
            max_unit=row.max_unit,
            step_size=row.step_size,
        )
    traits: dict[str, list[str]] = {}
    for row in _rows(tx, _TRAITS_IN, uuids):
        traits.setdefault(row.provider_uuid, []).append(row.trait)
    aggregates: dict[str, list[str]] = {}
    for row in _rows(tx, _AGGREGATES_IN, uuids):
        aggregates.setdefault(row.provider_uuid, []).append(row.aggregate_uuid)
    return [
        Facts(
            uuid=row.uuid,
            name=row.name,
            parent_uuid=row.parent_uuid,
            root_uuid=row.root_uuid,
            stocks=stocks.get(row.uuid, {}),
            traits=frozenset(traits.get(row.uuid, ())),
            aggregates=frozenset(aggregates.get(row.uuid, ())),
        )
        for row in rows
    ]
