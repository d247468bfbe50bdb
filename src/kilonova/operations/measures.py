"""Measures: what a monitoring system is told of the cloud, read from the databases when it asks."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from kilonova.database.database import Database, Transaction
from kilonova.database.tables.api_database import findings
from kilonova.database.tables.cell_database import hosts, missing_guests, tombstones, unknown_guests
from kilonova.engine.counters import Counted, counts_txn
from kilonova.engine.store import operations
from kilonova.kernel.errors import Unavailable
from kilonova.objects.operation import OperationState
from kilonova.operations.oversight import ANSWER_S, GLOBAL
from kilonova.operations.work import Parts

Labels = tuple[tuple[str, str], ...]
Samples = dict[Labels, float]

_live = (
    select(operations.c.kind, operations.c.state, func.count().label("number"))
    .where(operations.c.live == 1)
    .group_by(operations.c.kind, operations.c.state)
)
_oldest = select(func.min(operations.c.created_at)).where(
    operations.c.live == 1, operations.c.state == OperationState.QUEUED
)
_owed = select(func.count()).select_from(tombstones)
_strays = {
    "kilonova_hosts_in_quarantine": (
        "Hosts that came back and have not settled yet.",
        select(func.count()).select_from(hosts).where(hosts.c.quarantined_at.is_not(None)),
    ),
    "kilonova_guests_missing": (
        "Servers whose guests are not on their hosts.",
        select(func.count()).select_from(missing_guests),
    ),
    "kilonova_guests_unknown": (
        "Guests that no record knows.",
        select(func.count()).select_from(unknown_guests),
    ),
    "kilonova_tombstones": ("Guests whose end a host owes.", _owed),
}
"""Gauges of cells with hosts: what they tell, and the question."""
_found = select(findings.c.kind, func.count().label("found"), func.count(findings.c.removed_at).label("removed"))


@dataclass(frozen=True)
class Measure:
    """One measure, with a value for each set of labels."""

    name: str
    kind: str
    """`gauge` or `counter`."""
    about: str
    samples: Samples


@dataclass(frozen=True)
class _Site:
    """What one database says."""

    live: Samples
    oldest_s: float
    counts: Mapping[Counted, int]
    strays: Mapping[str, int]
    """The values of `_strays`; none in the API database."""


class Measures:
    """Takes the measures of a cloud."""

    def __init__(self, parts: Parts) -> None:
        """Work with the parts of this process."""
        self._parts = parts

    async def take(self) -> list[Measure]:
        """Every measure, now; what a database that doesn't answer would say is left out, and `cell_up` says so."""
        databases = {GLOBAL: self._parts.database}
        databases.update((cell.record.name, cell.database) for cell in self._parts.cells.all)
        answers = await asyncio.gather(*(_asked(database, name == GLOBAL) for name, database in databases.items()))
        by_site = dict(zip(databases, answers, strict=True))
        sites: dict[Labels, _Site] = {(("cell", name),): site for name, site in by_site.items() if site is not None}
        live: Samples = {(*labels, *more): value for labels, site in sites.items() for more, value in site.live.items()}
        up: Samples = {(("cell", name),): float(site is not None) for name, site in by_site.items()}
        oldest: Samples = {labels: site.oldest_s for labels, site in sites.items()}
        return [
            Measure("kilonova_cell_up", "gauge", "Whether the cell's database answers.", up),
            Measure("kilonova_operations", "gauge", "Live operations.", live),
            Measure("kilonova_operation_oldest_queued_seconds", "gauge", "Age of the oldest one nobody began.", oldest),
            *(_gauge(name, about, sites) for name, (about, _) in _strays.items()),
            *(_counter(counted, about, sites) for counted, about in _COUNTERS.items()),
            *await self._audit(),
        ]

    async def _audit(self) -> list[Measure]:
        try:
            rows = await self._parts.database.scan(lambda tx: tx.execute(_found.group_by(findings.c.kind)).all())
        except Unavailable:
            return []
        found = dict.fromkeys(("consumer", "port", "guest"), (0, 0)) | {
            row.kind: (row.found, row.removed) for row in rows
        }
        there: Samples = {(("kind", kind),): float(all_ - removed) for kind, (all_, removed) in found.items()}
        gone: Samples = {(("kind", kind),): float(removed) for kind, (_, removed) in found.items()}
        return [
            Measure("kilonova_auditor_findings", "gauge", "What has no owner; must stay 0.", there),
            Measure("kilonova_auditor_removed_total", "counter", "What was taken away because it had no owner.", gone),
        ]


_COUNTERS = {
    Counted.LEASE_TAKEOVERS: "Operations that another worker went on with.",
    Counted.EPOCHS_REJECTED: "Reports that came too late.",
    Counted.UNDOS: "Steps that were undone.",
}


def _gauge(name: str, about: str, sites: Mapping[Labels, _Site]) -> Measure:
    samples: Samples = {labels: float(site.strays[name]) for labels, site in sites.items() if name in site.strays}
    return Measure(name, "gauge", about, samples)


def _counter(counted: Counted, about: str, sites: Mapping[Labels, _Site]) -> Measure:
    samples: Samples = {labels: float(site.counts[counted]) for labels, site in sites.items()}
    return Measure(f"kilonova_{counted}_total", "counter", about, samples)


async def _asked(database: Database, is_api: bool) -> _Site | None:
    """What a database says; None when it doesn't answer."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await database.scan(_site_txn, is_api)
    except (Unavailable, TimeoutError):
        return None


def _site_txn(tx: Transaction, is_api: bool) -> _Site:
    live: Samples = {(("kind", row.kind), ("state", row.state)): float(row.number) for row in tx.execute(_live)}
    oldest: float | None = tx.execute(_oldest).scalar()
    asked = {} if is_api else _strays
    strays: dict[str, int] = {name: tx.execute(query).scalar_one() for name, (_, query) in asked.items()}
    return _Site(live, 0.0 if oldest is None else max(0.0, tx.now - oldest), counts_txn(tx), strays)
