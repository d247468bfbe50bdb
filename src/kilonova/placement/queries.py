"""What the placement database is asked by key: providers, inventories, traits, allocations, consumers, usages."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, bindparam, exists, func, select

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.placement import tables
from kilonova.placement.errors import NoSuchProvider
from kilonova.placement.shapes import Allocations, Consumer, Inventory, Provider

IN_MAX = 500
"""Most values of one `IN`; databases bound them."""


class Stock(NamedTuple):
    """An inventory with what of it is used."""

    inventory: Inventory
    used: int
    updated_at: float

    def gives(self, total: int, amount: int) -> bool:
        """Whether there is room for `total` more, and `amount` of it is a portion that it gives."""
        of = self.inventory
        return self.used + total <= of.capacity and of.min_unit <= amount <= of.max_unit and amount % of.step_size == 0


class Holding(NamedTuple):
    """What one consumer holds of one provider."""

    consumer: str
    generation: int
    resources: dict[str, int]


class Holder(NamedTuple):
    """A consumer with what it holds."""

    consumer: Consumer | None
    """None when it was never heard of."""
    held: Allocations

    @property
    def generation(self) -> int | None:
        """That of the consumer; None when it was never heard of."""
        return None if self.consumer is None else self.consumer.generation


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """`values` in lists short enough for an `IN`."""
    listed = list(values)
    return (listed[at : at + IN_MAX] for at in range(0, len(listed), IN_MAX))


def provider_of(row: Row[Any]) -> Provider:
    """A row of `providers` as a Provider."""
    return Provider(
        uuid=row.uuid,
        name=row.name,
        generation=row.generation,
        parent_uuid=row.parent_uuid,
        root_uuid=row.root_uuid,
        updated_at=row.updated_at,
    )


_PROVIDER = Prepared(select(tables.providers).where(tables.providers.c.uuid == bindparam("uuid")))


def provider_txn(tx: Transaction, uuid: str) -> Provider:
    """One provider. Raises `NoSuchProvider`."""
    row = tx.execute(_PROVIDER, {"uuid": uuid}).first()
    if row is None:
        raise NoSuchProvider(uuid=uuid)
    return provider_of(row)


_PROVIDERS_IN = (
    select(tables.providers)
    .where(tables.providers.c.uuid.in_(bindparam("uuids", expanding=True)))
    .order_by(tables.providers.c.created_at, tables.providers.c.uuid)
)


def providers_txn(tx: Transaction, uuids: Iterable[str]) -> dict[str, Provider]:
    """Those of `uuids` that exist, in the order in which they were made."""
    rows = [row for part in chunks(uuids) for row in tx.execute(_PROVIDERS_IN, {"uuids": part})]
    return {row.uuid: provider_of(row) for row in rows}


_INVENTORIES = Prepared(select(tables.inventories).where(tables.inventories.c.provider_uuid == bindparam("uuid")))


def _stock(row: Row[Any]) -> Stock:
    inventory = Inventory(
        total=row.total,
        reserved=row.reserved,
        min_unit=row.min_unit,
        max_unit=row.max_unit,
        step_size=row.step_size,
        allocation_ratio=row.allocation_ratio,
    )
    return Stock(inventory, row.used, row.updated_at)


def inventories_txn(tx: Transaction, provider: str) -> dict[str, Stock]:
    """What a provider has and has given, by class."""
    rows = tx.execute(_INVENTORIES, {"uuid": provider})
    return {row.resource_class: _stock(row) for row in sorted(rows, key=lambda row: str(row.resource_class))}


def stocks_txn(tx: Transaction, providers: Iterable[str]) -> dict[str, dict[str, Stock]]:
    """`inventories_txn` of many providers."""
    found: dict[str, dict[str, Stock]] = {}
    table = tables.inventories
    for part in chunks(providers):
        statement = select(table).where(table.c.provider_uuid.in_(part)).order_by(table.c.resource_class)
        for row in tx.execute(statement):
            found.setdefault(row.provider_uuid, {})[row.resource_class] = _stock(row)
    return found


def traits_txn(tx: Transaction, providers: Iterable[str]) -> dict[str, dict[str, bool]]:
    """The traits of providers in order, each with whether it was reported."""
    found: dict[str, dict[str, bool]] = {}
    table = tables.provider_traits
    for part in chunks(providers):
        statement = select(table).where(table.c.provider_uuid.in_(part)).order_by(table.c.trait)
        for row in tx.execute(statement):
            found.setdefault(row.provider_uuid, {})[row.trait] = row.reported
    return found


def aggregates_txn(tx: Transaction, provider: str) -> list[str]:
    """The aggregates of a provider, sorted."""
    table = tables.provider_aggregates
    return sorted(tx.execute(select(table.c.aggregate_uuid).where(table.c.provider_uuid == provider)).scalars())


def custom_names_txn(tx: Transaction, kind: str) -> dict[str, float]:
    """Custom names with the time each was made; `kind` is `traits` or `resource_classes`."""
    table = tables.metadata.tables[kind]
    return {row.name: row.created_at for row in tx.execute(select(table).order_by(table.c.name))}


def class_in_use_txn(tx: Transaction, name: str) -> bool:
    """Whether any provider has an inventory of the class."""
    table = tables.inventories
    return tx.execute(select(table.c.used).where(table.c.resource_class == name).limit(1)).first() is not None


def associated_traits_txn(tx: Transaction) -> list[str]:
    """Every trait that any provider has, sorted."""
    return sorted(tx.execute(select(tables.provider_traits.c.trait).distinct()).scalars())


def trait_in_use_txn(tx: Transaction, name: str) -> bool:
    """Whether any provider has the trait."""
    table = tables.provider_traits
    return tx.execute(select(table.c.trait).where(table.c.trait == name).limit(1)).first() is not None


_CONSUMER = Prepared(select(tables.consumers).where(tables.consumers.c.uuid == bindparam("uuid")))
_CONSUMER_LOCKED = Prepared(
    select(tables.consumers).where(tables.consumers.c.uuid == bindparam("uuid")).with_for_update()
)


def _consumer(row: Row[Any]) -> Consumer:
    return Consumer(
        uuid=row.uuid,
        generation=row.generation,
        project_id=row.project_id,
        user_id=row.user_id,
        consumer_type=row.consumer_type,
        set_id=row.set_id,
        set_slot=row.set_slot,
        set_provider=row.set_provider,
        updated_at=row.updated_at,
    )


def consumer_txn(tx: Transaction, uuid: str) -> Consumer | None:
    """A consumer, also one that holds nothing any more; None when it was never heard of."""
    row = tx.execute(_CONSUMER, {"uuid": uuid}).first()
    return None if row is None else _consumer(row)


def consumer_generation_txn(tx: Transaction, uuid: str) -> int | None:
    """The generation of a consumer, also of one that holds nothing any more; None when it was never heard of."""
    consumer = consumer_txn(tx, uuid)
    return None if consumer is None else consumer.generation


def spread_members_txn(tx: Transaction, set_id: str, besides: str) -> dict[str, int]:
    """How many members of a spread set, without the consumer `besides`, are on each provider."""
    table = tables.consumers
    statement = select(table.c.set_provider).where(table.c.set_id == set_id, table.c.uuid != besides)
    found: dict[str, int] = {}
    for provider in tx.execute(statement.order_by(table.c.uuid)).scalars():
        found[provider] = found.get(provider, 0) + 1
    return found


def consumers_txn(tx: Transaction, marker: str, limit: int) -> list[Consumer]:
    """Consumers that hold something, in order of UUID, after `marker`."""
    table = tables.consumers
    holds = exists(select(tables.allocations.c.used).where(tables.allocations.c.consumer_uuid == table.c.uuid))
    statement = select(table).where(table.c.uuid > marker, holds).order_by(table.c.uuid).limit(limit)
    return [_consumer(row) for row in tx.execute(statement)]


_ALLOCATIONS = Prepared(
    select(tables.allocations.c.provider_uuid, tables.allocations.c.resource_class, tables.allocations.c.used).where(
        tables.allocations.c.consumer_uuid == bindparam("uuid")
    )
)


def allocations_txn(tx: Transaction, consumer: str) -> Allocations:
    """What a consumer holds."""
    held: dict[str, dict[str, int]] = {}
    for row in tx.execute(_ALLOCATIONS, {"uuid": consumer}):
        held.setdefault(row.provider_uuid, {})[row.resource_class] = row.used
    return held


def holder_txn(tx: Transaction, uuid: str) -> Holder:
    """A consumer with what it holds, for a transaction that changes it: until then nobody else does."""
    row = tx.execute(_CONSUMER_LOCKED, {"uuid": uuid}).first()
    return Holder(None, {}) if row is None else Holder(_consumer(row), allocations_txn(tx, uuid))


_CONSUMERS_LOCKED = (
    select(tables.consumers)
    .where(tables.consumers.c.uuid.in_(bindparam("uuids", expanding=True)))
    .order_by(tables.consumers.c.uuid)  # who locks several does it in one order
    .with_for_update()
)
_ALLOCATIONS_OF = select(tables.allocations).where(
    tables.allocations.c.consumer_uuid.in_(bindparam("uuids", expanding=True))
)


def holders_txn(tx: Transaction, uuids: Sequence[str]) -> list[Holder]:
    """Several consumers, each as `holder_txn` has it."""
    if len(uuids) == 1:
        return [holder_txn(tx, uuids[0])]
    consumers: dict[str, Consumer] = {}
    for part in chunks(sorted(set(uuids))):
        consumers |= {row.uuid: _consumer(row) for row in tx.execute(_CONSUMERS_LOCKED, {"uuids": part})}
    held: dict[str, dict[str, dict[str, int]]] = {}
    for part in chunks(list(consumers)):
        for row in tx.execute(_ALLOCATIONS_OF, {"uuids": part}):
            held.setdefault(row.consumer_uuid, {}).setdefault(row.provider_uuid, {})[row.resource_class] = row.used
    return [Holder(consumers.get(uuid), held.get(uuid, {})) for uuid in uuids]


def consumers_known_txn(tx: Transaction, consumers: Iterable[str]) -> set[str]:
    """Those of `consumers` that were heard of."""
    column = tables.consumers.c.uuid
    return {uuid for part in chunks(consumers) for uuid in tx.execute(select(column).where(column.in_(part))).scalars()}


def holdings_txn(tx: Transaction, provider: str) -> list[Holding]:
    """Who holds what of a provider, in order of consumer."""
    held, consumers = tables.allocations, tables.consumers
    statement = (
        select(held.c.consumer_uuid, held.c.resource_class, held.c.used, consumers.c.generation)
        .join(consumers, consumers.c.uuid == held.c.consumer_uuid)
        .where(held.c.provider_uuid == provider)
        .order_by(held.c.consumer_uuid, held.c.resource_class)
    )
    found: dict[str, Holding] = {}
    for row in tx.execute(statement):
        found.setdefault(row.consumer_uuid, Holding(row.consumer_uuid, row.generation, {}))
        found[row.consumer_uuid].resources[row.resource_class] = row.used
    return list(found.values())


def parents_txn(tx: Transaction, providers: Sequence[str]) -> list[str]:
    """Those of `providers` that have children that are not among them, sorted."""
    c = tables.providers.c
    found = {
        row.parent_uuid
        for part in chunks(providers)
        for row in tx.execute(select(c.uuid, c.parent_uuid).where(c.parent_uuid.in_(part)))
        if row.uuid not in providers
    }
    return sorted(found)


def allocated_txn(tx: Transaction, providers: Sequence[str]) -> list[str]:
    """Those of `providers` of which anybody holds anything, sorted."""
    column = tables.allocations.c.provider_uuid
    found = [
        uuid
        for part in chunks(providers)
        for uuid in tx.execute(select(column).where(column.in_(part)).distinct()).scalars()
    ]
    return sorted(found)


def usages_txn(
    tx: Transaction, project_id: str, user_id: str | None = None
) -> Mapping[str | None, tuple[int, Mapping[str, int]]]:
    """What a project, or a user in it, holds: by consumer type the count of consumers and the amounts by class."""
    held, consumers = tables.allocations, tables.consumers
    condition = consumers.c.project_id == project_id
    if user_id is not None:
        condition = and_(condition, consumers.c.user_id == user_id)
    joined = held.join(consumers, consumers.c.uuid == held.c.consumer_uuid)
    amounts = (
        select(consumers.c.consumer_type, held.c.resource_class, func.sum(held.c.used).label("amount"))
        .select_from(joined)
        .where(condition)
        .group_by(consumers.c.consumer_type, held.c.resource_class)
        .order_by(consumers.c.consumer_type, held.c.resource_class)
    )
    counts = (
        select(consumers.c.consumer_type, func.count(consumers.c.uuid.distinct()).label("consumers"))
        .select_from(joined)
        .where(condition)
        .group_by(consumers.c.consumer_type)
    )
    count_of = {row.consumer_type: row.consumers for row in tx.execute(counts)}
    found: dict[str | None, tuple[int, dict[str, int]]] = {}
    for row in tx.execute(amounts):
        kind = row.consumer_type
        found.setdefault(kind, (count_of[kind], {}))[1][row.resource_class] = int(row.amount)
    return found
