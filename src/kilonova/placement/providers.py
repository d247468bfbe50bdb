"""Providers as their reporters want them: set-wise, writing only what differs."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select

from kilonova.database.database import Transaction
from kilonova.placement import names, queries, store, tables
from kilonova.placement.errors import (
    DuplicateName,
    InventoryInUse,
    ProviderInUse,
    ProviderIsParent,
    UnknownClass,
    UnknownTrait,
)
from kilonova.placement.queries import Stock, chunks
from kilonova.placement.shapes import Inventory, Provider, ProviderSpec, child_uuid

_Stocks = Mapping[str, Mapping[str, Stock]]
_Traits = Mapping[str, Mapping[str, bool]]


def ensure_txn(tx: Transaction, specs: Sequence[ProviderSpec]) -> None:
    """Make providers as `specs` say; see `Placement.providers_ensure`."""
    uuids = [spec.uuid for spec in specs]
    known = queries.providers_txn(tx, uuids)
    stocks = queries.stocks_txn(tx, known)
    traits = queries.traits_txn(tx, known)
    _ensure_names(tx, specs, stocks, traits)
    changed = _ensure_providers(tx, specs, known)
    remove_txn(tx, _no_more_told_txn(tx, specs))
    changed |= _ensure_inventories(tx, specs, stocks)
    changed |= _ensure_traits(tx, specs, traits)
    store.providers_advance_txn(tx, (uuid for uuid in changed if uuid in known))


def remove_txn(tx: Transaction, uuids: Sequence[str]) -> None:
    """Delete providers; those that are not there are no error.

    Raises `ProviderIsParent` for one with children that stay, `ProviderInUse` for one of which anybody holds anything.
    """
    parents = queries.parents_txn(tx, uuids)
    if parents:
        raise ProviderIsParent(uuid=parents[0])
    in_use = queries.allocated_txn(tx, uuids)
    if in_use:
        raise ProviderInUse(uuid=in_use[0])
    store.providers_delete_txn(tx, uuids)


def tree_remove_txn(tx: Transaction, root: str) -> None:
    """Delete a root provider with all below it. Raises `ProviderInUse`."""
    table = tables.providers
    remove_txn(tx, tx.execute(select(table.c.uuid).where(table.c.root_uuid == root)).scalars().all())


def names_taken_txn(tx: Transaction, wanted: Mapping[str, str]) -> list[str]:
    """Those names in `wanted` (UUID by name) that belong to another provider."""
    table = tables.providers
    return [
        row.name
        for part in chunks(wanted)
        for row in tx.execute(select(table.c.uuid, table.c.name).where(table.c.name.in_(part)))
        if wanted[row.name] != row.uuid
    ]


def require_classes_txn(tx: Transaction, wanted: Iterable[str], where: str) -> None:
    """Raise `UnknownClass` if a resource class does not exist; `where` it was named is told."""
    custom = names.not_standard(wanted, names.standard_class_set())
    if custom:
        missing = names.not_standard(custom, queries.custom_names_txn(tx, "resource_classes"))
        if missing:
            raise UnknownClass(where=where, name=", ".join(missing))


def require_traits_txn(tx: Transaction, wanted: Iterable[str], where: str) -> None:
    """Raise `UnknownTrait` if a trait does not exist; `where` it was named is told."""
    custom = names.not_standard(wanted, names.standard_traits())
    if custom:
        missing = names.not_standard(custom, queries.custom_names_txn(tx, "traits"))
        if missing:
            raise UnknownTrait(where=where, names=", ".join(missing))


def inventories_replace_txn(
    tx: Transaction, provider: str, before: Mapping[str, Stock], after: Mapping[str, Inventory]
) -> None:
    """Make `after` the whole inventory of a provider. Raises `InventoryInUse`."""
    gone = [name for name in before if name not in after]
    in_use = [name for name in gone if before[name].used]
    if in_use or not all(store.inventory_delete_txn(tx, provider, name) for name in gone):
        raise InventoryInUse(resource_classes=", ".join(names.in_order(in_use)), uuid=provider)
    store.inventories_insert_txn(tx, [(provider, n, inventory) for n, inventory in after.items() if n not in before])
    differing = [(provider, n, i) for n, i in after.items() if n in before and before[n].inventory != i]
    store.inventories_update_txn(tx, differing)


def _ensure_names(tx: Transaction, specs: Sequence[ProviderSpec], stocks: _Stocks, traits: _Traits) -> None:
    """Custom names that are new are made; standard ones must exist. What a provider has already was checked before."""
    classes = {name for spec in specs for name in spec.inventories if name not in stocks.get(spec.uuid, {})}
    wanted = {name for spec in specs for name in spec.traits if name not in traits.get(spec.uuid, {})}
    for kind, new in (("resource_classes", classes), ("traits", wanted)):
        custom = sorted(name for name in new if names.is_custom(name))
        if custom:
            store.custom_insert_txn(tx, kind, names.not_standard(custom, queries.custom_names_txn(tx, kind)))
    if classes:
        require_classes_txn(tx, classes, "Unknown resource class in inventory")
    if wanted:
        require_traits_txn(tx, wanted, "Unknown trait of a resource provider")


def _ensure_providers(tx: Transaction, specs: Sequence[ProviderSpec], known: Mapping[str, Provider]) -> set[str]:
    new = [spec for spec in specs if spec.uuid not in known]
    renamed = [spec for spec in specs if spec.uuid in known and known[spec.uuid].name != spec.name]
    wanted: dict[str, str] = {}
    for spec in (*new, *renamed):
        if wanted.setdefault(spec.name, spec.uuid) != spec.uuid:
            raise DuplicateName(what=f"name: {spec.name}")
    taken = names_taken_txn(tx, wanted)
    if taken:
        raise DuplicateName(what=f"name: {taken[0]}")
    store.providers_insert_txn(tx, [(spec.uuid, spec.name) for spec in new if spec.parent is None])
    roots = {uuid: one.root_uuid for uuid, one in known.items()}
    for spec in new:
        root = spec.uuid if spec.parent is None else roots[spec.parent]
        roots[spec.uuid] = root
        if spec.parent is not None:
            store.provider_insert_txn(tx, spec.uuid, spec.name, spec.parent, root)
    for spec in renamed:
        store.provider_rename_txn(tx, spec.uuid, spec.name)
    moved = [
        spec for spec in specs if spec.parent and spec.uuid in known and known[spec.uuid].parent_uuid != spec.parent
    ]
    for spec in moved:
        store.provider_move_txn(tx, spec.uuid, spec.parent, roots[spec.parent or ""], {spec.uuid})
    return {spec.uuid for spec in (*renamed, *moved)}


def _no_more_told_txn(tx: Transaction, specs: Sequence[ProviderSpec]) -> list[str]:
    """The children of these roots that their reporter told of before."""
    c = tables.providers.c
    told = {spec.uuid for spec in specs}
    roots = [spec.uuid for spec in specs if spec.parent is None]
    below = [
        row
        for part in chunks(roots)
        for row in tx.execute(
            select(c.uuid, c.name, c.root_uuid).where(c.root_uuid.in_(part), c.parent_uuid.is_not(None))
        )
    ]
    return [row.uuid for row in below if row.uuid not in told and row.uuid == child_uuid(row.root_uuid, row.name)]


def _ensure_inventories(tx: Transaction, specs: Sequence[ProviderSpec], stocks: _Stocks) -> set[str]:
    new: list[tuple[str, str, Inventory]] = []
    differing: set[str] = set()
    for spec in specs:
        before = stocks.get(spec.uuid, {})
        if not before:
            new += [(spec.uuid, name, inventory) for name, inventory in spec.inventories.items()]
        elif {name: stock.inventory for name, stock in before.items()} != dict(spec.inventories):
            inventories_replace_txn(tx, spec.uuid, before, spec.inventories)
            differing.add(spec.uuid)
    store.inventories_insert_txn(tx, new)
    return differing | {uuid for uuid, _, _ in new}


def _ensure_traits(tx: Transaction, specs: Sequence[ProviderSpec], traits: _Traits) -> set[str]:
    gone: list[tuple[str, str]] = []
    new: list[tuple[str, str]] = []
    for spec in specs:
        before = traits.get(spec.uuid, {})
        gone += [(spec.uuid, trait) for trait, reported in before.items() if reported and trait not in spec.traits]
        new += [(spec.uuid, trait) for trait in sorted(spec.traits) if trait not in before]
    store.traits_delete_txn(tx, gone)
    store.traits_insert_txn(tx, new, reported=True)
    return {uuid for uuid, _ in (*gone, *new)}
