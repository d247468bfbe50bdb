"""What the placement database holds as a whole: for overviews, and to check that its books balance.

Everything here reads whole tables, and is for `Database.scan`.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import and_, func, or_, select

from kilonova.database.database import Transaction
from kilonova.placement import queries, tables
from kilonova.placement.errors import NoSuchProvider
from kilonova.placement.queries import Holding, Stock
from kilonova.placement.shapes import Provider

_PROVIDERS, _INVENTORIES, _ALLOCATIONS = tables.providers, tables.inventories, tables.allocations


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One inventory: what all consumers together may hold of it, and what they do hold."""

    provider: str
    root: str
    """The root of the provider's tree."""
    resource_class: str
    capacity: int
    used: int


class Discrepancy(msgspec.Struct, frozen=True, kw_only=True):
    """An inventory that is not as it should be."""

    provider: str
    resource_class: str
    capacity: int | None
    """None where allocations are of an inventory that isn't there; so is `used`."""
    used: int | None
    """What the inventory says that it has given."""
    allocated: int
    """What its allocations add up to."""


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of all inventories has found."""

    unbalanced: Sequence[Discrepancy]
    """They say that they have given something else than their allocations add up to. This must never be."""
    beyond: Sequence[Discrepancy]
    """They have given more than their capacity: it was made smaller since."""
    roots: Sequence[Provider]
    """Every root provider."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """One provider with all that belongs to it."""

    provider: Provider
    stocks: dict[str, Stock]
    """By class."""
    traits: Sequence[str]
    aggregates: Sequence[str]
    holdings: Sequence[Holding]


def given_txn(tx: Transaction) -> list[Given]:
    """Every inventory."""
    c = _INVENTORIES.c
    statement = select(c.provider_uuid, _PROVIDERS.c.root_uuid, c.resource_class, c.capacity, c.used).join(
        _PROVIDERS, _PROVIDERS.c.uuid == c.provider_uuid
    )
    return [
        Given(
            provider=row.provider_uuid,
            root=row.root_uuid,
            resource_class=row.resource_class,
            capacity=row.capacity,
            used=row.used,
        )
        for row in tx.execute(statement)
    ]


def books_txn(tx: Transaction) -> Books:
    """Check every inventory against its allocations and its capacity."""
    c, held = _INVENTORIES.c, _ALLOCATIONS.c
    sums = (
        select(held.provider_uuid, held.resource_class, func.sum(held.used).label("allocated"))
        .group_by(held.provider_uuid, held.resource_class)
        .subquery()
    )
    same = and_(sums.c.provider_uuid == c.provider_uuid, sums.c.resource_class == c.resource_class)
    allocated = func.coalesce(sums.c.allocated, 0)
    odd = (
        select(c.provider_uuid, c.resource_class, c.capacity, c.used, allocated.label("allocated"))
        .select_from(_INVENTORIES.outerjoin(sums, same))
        .where(or_(c.used != allocated, c.used > c.capacity))
    )
    baseless = (
        select(sums.c.provider_uuid, sums.c.resource_class, c.capacity, c.used, sums.c.allocated)
        .select_from(sums.outerjoin(_INVENTORIES, same))
        .where(c.used.is_(None))
    )
    found = [
        Discrepancy(
            provider=row.provider_uuid,
            resource_class=row.resource_class,
            capacity=row.capacity,
            used=row.used,
            allocated=int(row.allocated),
        )
        for statement in (odd, baseless)
        for row in tx.execute(statement)
    ]
    found.sort(key=lambda one: (one.provider, one.resource_class))
    roots = select(_PROVIDERS).where(_PROVIDERS.c.uuid == _PROVIDERS.c.root_uuid).order_by(_PROVIDERS.c.name)
    return Books(
        unbalanced=[one for one in found if one.used != one.allocated],
        beyond=[one for one in found if one.used is not None and one.capacity is not None and one.used > one.capacity],
        roots=[queries.provider_of(row) for row in tx.execute(roots)],
    )


def tree_txn(tx: Transaction, name: str) -> list[Described]:
    """The tree of the provider with the UUID or name `name`: its root first, children after their parents, by name.

    Raises `NoSuchProvider`.
    """
    c = _PROVIDERS.c
    row = tx.execute(select(_PROVIDERS).where(or_(c.uuid == name, c.name == name)).order_by(c.uuid)).first()
    if row is None:
        raise NoSuchProvider(uuid=name)
    rows = tx.execute(select(_PROVIDERS).where(c.root_uuid == row.root_uuid).order_by(c.name))
    providers = _downwards([queries.provider_of(one) for one in rows])
    uuids = [one.uuid for one in providers]
    stocks, traits = queries.stocks_txn(tx, uuids), queries.traits_txn(tx, uuids)
    return [
        Described(
            provider=one,
            stocks=stocks.get(one.uuid, {}),
            traits=list(traits.get(one.uuid, ())),
            aggregates=queries.aggregates_txn(tx, one.uuid),
            holdings=queries.holdings_txn(tx, one.uuid),
        )
        for one in providers
    ]


def _downwards(tree: Sequence[Provider]) -> list[Provider]:
    """The providers of one tree, each after its parent and before its parent's next child."""
    children: dict[str | None, list[Provider]] = {}
    for one in tree:
        children.setdefault(one.parent_uuid, []).append(one)
    found: list[Provider] = []
    waiting = children.get(None, [])
    while waiting:
        one = waiting.pop(0)
        found.append(one)
        waiting = children.get(one.uuid, []) + waiting
    return found
