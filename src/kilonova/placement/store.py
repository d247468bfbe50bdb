"""The only writer of the placement database: one function per change, conditions inside the statements.

Functions that return bool or a count say whether the condition held; whoever calls them raises, which undoes the whole
transaction. What the changes mean together is told in `claims.py` and `providers.py`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.placement import tables
from kilonova.placement.shapes import Claim, Inventory, SpreadSet

_PROVIDERS, _INVENTORIES = tables.providers, tables.inventories
_CONSUMERS, _ALLOCATIONS, _SLOTS = tables.consumers, tables.allocations, tables.spread_slots

# --- providers -------------------------------------------------------------------------------------------------------

_CHANGED = Prepared(insert(tables.provider_changes))


def changed_txn(tx: Transaction, uuids: Iterable[str], *, only_used: bool = False) -> None:
    """Tell copies of these providers that something of them is not as it was; `only_used`: no more than what of it is used."""
    rows = [{"provider_uuid": uuid, "changed_at": tx.now, "only_used": only_used} for uuid in uuids]
    if rows:
        tx.execute(_CHANGED, rows)


def changes_forget_txn(tx: Transaction, before: float) -> int:
    """Delete what tells of changes before `before`; how many. A copy that is older than that must be made anew.

    The newest stays: by it an old copy is known to be old.
    """
    changes = tables.provider_changes.c
    newest = tx.execute(select(func.max(changes.seq))).scalar() or 0
    return tx.execute(delete(tables.provider_changes).where(changes.changed_at < before, changes.seq < newest)).rowcount


def providers_insert_txn(tx: Transaction, rows: Sequence[tuple[str, str]]) -> None:
    """Insert root providers, each (uuid, name), at generation 0."""
    if rows:
        times = {"created_at": tx.now, "updated_at": tx.now, "generation": 0, "parent_uuid": None}
        tx.execute(insert(_PROVIDERS), [{"uuid": u, "name": name, "root_uuid": u, **times} for u, name in rows])
        changed_txn(tx, (uuid for uuid, _ in rows))


def provider_insert_txn(tx: Transaction, uuid: str, name: str, parent: str | None, root: str) -> None:
    """Insert one provider, anywhere in a tree, at generation 0."""
    times = {"created_at": tx.now, "updated_at": tx.now, "generation": 0}
    tx.execute(insert(_PROVIDERS), {"uuid": uuid, "name": name, "parent_uuid": parent, "root_uuid": root, **times})
    changed_txn(tx, [uuid])


def provider_rename_txn(tx: Transaction, uuid: str, name: str) -> None:
    """Give a provider another name."""
    tx.execute(update(_PROVIDERS).where(_PROVIDERS.c.uuid == uuid).values(name=name, updated_at=tx.now))
    changed_txn(tx, [uuid])


def provider_move_txn(tx: Transaction, uuid: str, parent: str | None, root: str, subtree: Collection[str]) -> None:
    """Put a provider below `parent`, or let it be a root; `subtree` is all that moves with it, itself included."""
    c = _PROVIDERS.c
    tx.execute(update(_PROVIDERS).where(c.uuid == uuid).values(parent_uuid=parent, updated_at=tx.now))
    moved = [{"u": one, "root": root} for one in sorted(subtree)]
    tx.execute(update(_PROVIDERS).where(c.uuid == bindparam("u")).values(root_uuid=bindparam("root")), moved)
    changed_txn(tx, sorted(subtree))


def providers_delete_txn(tx: Transaction, uuids: Sequence[str]) -> None:
    """Delete providers with their inventories, traits and aggregates; they have no allocations any more."""
    if not uuids:
        return
    for table in (_INVENTORIES, tables.provider_traits, tables.provider_aggregates):
        tx.execute(delete(table).where(table.c.provider_uuid == bindparam("u")), [{"u": u} for u in uuids])
    tx.execute(delete(_PROVIDERS).where(_PROVIDERS.c.uuid == bindparam("u")), [{"u": u} for u in uuids])
    changed_txn(tx, uuids)


FEW = 8
"""Most providers whose generations are raised one by one: that statement needs no list."""
PART = 500
"""Most values of a list in a statement."""
_RAISED = update(_PROVIDERS).values(generation=_PROVIDERS.c.generation + 1, updated_at=bindparam("now"))
_ADVANCE = Prepared(_RAISED.where(_PROVIDERS.c.uuid == bindparam("u")))
_ADVANCE_MANY = _RAISED.where(_PROVIDERS.c.uuid.in_(bindparam("uuids", expanding=True)))


def providers_advance_txn(tx: Transaction, uuids: Iterable[str], *, only_used: bool = False) -> None:
    """Raise the generation of providers; `only_used` as in `changed_txn`."""
    touched = sorted(set(uuids))
    if not touched:
        return
    if len(touched) <= FEW:
        tx.execute(_ADVANCE, [{"u": uuid, "now": tx.now} for uuid in touched])
    else:
        for at in range(0, len(touched), PART):
            tx.execute(_ADVANCE_MANY, {"uuids": touched[at : at + PART], "now": tx.now})
    changed_txn(tx, touched, only_used=only_used)


def provider_advance_from_txn(tx: Transaction, uuid: str, generation: int) -> bool:
    """Raise a provider's generation if it is still `generation`."""
    condition = and_(_PROVIDERS.c.uuid == uuid, _PROVIDERS.c.generation == generation)
    values = {"generation": generation + 1, "updated_at": tx.now}
    changed_txn(tx, [uuid])
    return tx.execute(update(_PROVIDERS).where(condition).values(values)).rowcount == 1


# --- inventories -----------------------------------------------------------------------------------------------------


def inventories_insert_txn(tx: Transaction, rows: Sequence[tuple[str, str, Inventory]]) -> None:
    """Insert inventories, each (provider, class, inventory), of which nothing is used."""
    if rows:
        tx.execute(
            insert(_INVENTORIES),
            [
                {"provider_uuid": u, "resource_class": name, "used": 0, **_inventory_values(tx, inventory)}
                for u, name, inventory in rows
            ],
        )


_INVENTORY_UPDATE = Prepared(
    update(_INVENTORIES).where(
        _INVENTORIES.c.provider_uuid == bindparam("provider"), _INVENTORIES.c.resource_class == bindparam("class")
    )
)


def inventories_update_txn(tx: Transaction, rows: Sequence[tuple[str, str, Inventory]]) -> None:
    """Change inventories. What is used stays, also where it is more than the new capacity."""
    if rows:
        keys = [{"provider": u, "class": name, **_inventory_values(tx, inventory)} for u, name, inventory in rows]
        tx.execute(_INVENTORY_UPDATE, keys)


def inventory_delete_txn(tx: Transaction, provider: str, resource_class: str) -> bool:
    """Delete one inventory if nothing of it is used."""
    row = and_(_INVENTORIES.c.provider_uuid == provider, _INVENTORIES.c.resource_class == resource_class)
    return tx.execute(delete(_INVENTORIES).where(row, _INVENTORIES.c.used == 0)).rowcount == 1


def _inventory_values(tx: Transaction, inventory: Inventory) -> dict[str, Any]:
    return {
        "total": inventory.total,
        "reserved": inventory.reserved,
        "min_unit": inventory.min_unit,
        "max_unit": inventory.max_unit,
        "step_size": inventory.step_size,
        "allocation_ratio": inventory.allocation_ratio,
        "capacity": inventory.capacity,
        "updated_at": tx.now,
    }


# --- names, traits, aggregates ---------------------------------------------------------------------------------------


def custom_insert_txn(tx: Transaction, kind: str, names: Sequence[str]) -> None:
    """Make custom names that don't exist yet; `kind` is `traits` or `resource_classes`."""
    if names:
        tx.execute(insert(tables.metadata.tables[kind]), [{"name": name, "created_at": tx.now} for name in names])


def custom_delete_txn(tx: Transaction, kind: str, name: str) -> bool:
    """Delete a custom name that nothing uses any more; False when there is none."""
    table = tables.metadata.tables[kind]
    return tx.execute(delete(table).where(table.c.name == name)).rowcount == 1


def class_rename_txn(tx: Transaction, old: str, new: str) -> None:
    """Rename a custom resource class wherever it stands."""
    classes = tables.resource_classes
    holders = select(_INVENTORIES.c.provider_uuid).where(_INVENTORIES.c.resource_class == old)
    changed_txn(tx, sorted(tx.execute(holders).scalars()))
    tx.execute(update(classes).where(classes.c.name == old).values(name=new))
    for table in (_INVENTORIES, _ALLOCATIONS):
        tx.execute(update(table).where(table.c.resource_class == old).values(resource_class=new))


def traits_insert_txn(tx: Transaction, rows: Sequence[tuple[str, str]], *, reported: bool) -> None:
    """Give traits to providers, each (provider, trait)."""
    if rows:
        values = [{"provider_uuid": uuid, "trait": trait, "reported": reported} for uuid, trait in rows]
        tx.execute(insert(tables.provider_traits), values)


def traits_delete_txn(tx: Transaction, rows: Sequence[tuple[str, str]]) -> None:
    """Take traits from providers, each (provider, trait)."""
    columns = tables.provider_traits.c
    if rows:
        one = delete(tables.provider_traits).where(
            columns.provider_uuid == bindparam("u"), columns.trait == bindparam("t")
        )
        tx.execute(one, [{"u": uuid, "t": trait} for uuid, trait in rows])


def aggregates_replace_txn(tx: Transaction, provider: str, aggregates: Collection[str]) -> None:
    """Make a provider a member of exactly these aggregates."""
    table = tables.provider_aggregates
    tx.execute(delete(table).where(table.c.provider_uuid == provider))
    if aggregates:
        tx.execute(insert(table), [{"provider_uuid": provider, "aggregate_uuid": uuid} for uuid in sorted(aggregates)])
    changed_txn(tx, [provider])


# --- claims ----------------------------------------------------------------------------------------------------------

_ONE_INVENTORY = and_(
    _INVENTORIES.c.provider_uuid == bindparam("provider"), _INVENTORIES.c.resource_class == bindparam("class")
)
_AMOUNT: BindParameter[int] = bindparam("amount", type_=BigInteger)
_DELTA: BindParameter[int] = bindparam("delta", type_=BigInteger)
_NO_MORE: BindParameter[bool] = bindparam("no_more", type_=Boolean)
_GIVE_BACK = Prepared(update(_INVENTORIES).where(_ONE_INVENTORY).values(used=_INVENTORIES.c.used - _AMOUNT))
_TAKE = Prepared(
    update(_INVENTORIES)
    .where(
        _ONE_INVENTORY,
        or_(_DELTA <= 0, _NO_MORE, _INVENTORIES.c.used + _DELTA <= _INVENTORIES.c.capacity),
        _INVENTORIES.c.min_unit <= _AMOUNT,
        _INVENTORIES.c.max_unit >= _AMOUNT,
        _AMOUNT % _INVENTORIES.c.step_size == 0,
    )
    .values(used=_INVENTORIES.c.used + _DELTA)
)


def give_back_txn(tx: Transaction, rows: Sequence[tuple[str, str, int]]) -> None:
    """Return amounts to inventories, each (provider, class, amount)."""
    if rows:
        tx.execute(_GIVE_BACK, [{"provider": p, "class": name, "amount": amount} for p, name, amount in rows])


def take_txn(tx: Transaction, rows: Sequence[tuple[str, str, int, int, bool]]) -> bool:
    """Change what inventories have given.

    Each row is (provider, class, amount held from now on, difference to before, whether all consumers together hold no more
    than before). False unless every inventory exists, gives such portions, and has room for what is more than before; an
    inventory that has given too much already may pass on as much as it gets back.
    """
    if not rows:
        return True
    values = [
        {"provider": p, "class": name, "amount": amount, "delta": delta, "no_more": no_more}
        for p, name, amount, delta, no_more in rows
    ]
    return tx.execute(_TAKE, values).rowcount == len(rows)


_ALLOCATION_INSERT = Prepared(insert(_ALLOCATIONS))
_ALLOCATION_DELETE = Prepared(delete(_ALLOCATIONS).where(_ALLOCATIONS.c.consumer_uuid == bindparam("consumer")))


def allocations_replace_txn(tx: Transaction, claims: Sequence[Claim], held: Sequence[str]) -> None:
    """Write what the consumers hold from now on; those in `held` held something before."""
    if held:
        tx.execute(_ALLOCATION_DELETE, [{"consumer": consumer} for consumer in held])
    allocations_insert_txn(tx, claims)


def allocations_insert_txn(tx: Transaction, claims: Sequence[Claim]) -> None:
    """Write what consumers hold that have held nothing."""
    rows = [
        {"consumer_uuid": claim.consumer, "provider_uuid": provider, "resource_class": name, "used": amount}
        for claim in claims
        for provider, resources in claim.allocations.items()
        for name, amount in resources.items()
    ]
    if rows:
        tx.execute(_ALLOCATION_INSERT, rows)


_CONSUMER_INSERT = Prepared(insert(_CONSUMERS))


def consumers_insert_txn(tx: Transaction, consumers: Mapping[str, Mapping[str, Any]]) -> None:
    """Insert consumers that were never heard of, with their values, at generation 1."""
    fixed = {"generation": 1, "created_at": tx.now, "updated_at": tx.now}
    if consumers:
        tx.execute(_CONSUMER_INSERT, [{"uuid": uuid, **fixed, **values} for uuid, values in consumers.items()])


_CONSUMER_ADVANCE = Prepared(
    update(_CONSUMERS).where(_CONSUMERS.c.uuid == bindparam("consumer"), _CONSUMERS.c.generation == bindparam("from"))
)


def consumer_advance_txn(tx: Transaction, consumer: str, generation: int, values: Mapping[str, Any]) -> bool:
    """Raise a consumer's generation, and set `values`, if it is still `generation`."""
    fixed = {"consumer": consumer, "from": generation, "generation": generation + 1, "updated_at": tx.now}
    return tx.execute(_CONSUMER_ADVANCE, {**fixed, **values}).rowcount == 1


def consumers_forget_txn(tx: Transaction, before: float) -> int:
    """Delete consumers that have held nothing since `before`; how many."""
    holds = exists(select(_ALLOCATIONS.c.used).where(_ALLOCATIONS.c.consumer_uuid == _CONSUMERS.c.uuid))
    return tx.execute(delete(_CONSUMERS).where(_CONSUMERS.c.updated_at < before, ~holds)).rowcount


def slot_enter_txn(tx: Transaction, member: SpreadSet) -> bool:
    """Count one more member of a set; False when its rule forbids the provider."""
    slot = and_(_SLOTS.c.set_id == member.id, _SLOTS.c.slot == member.slot)
    room = _SLOTS.c.provider_uuid == member.provider
    if member.most is not None:
        room = and_(room, _SLOTS.c.members < member.most)
    if tx.execute(update(_SLOTS).where(slot, room).values(members=_SLOTS.c.members + 1)).rowcount == 1:
        return True
    if member.most == 0 or tx.execute(select(_SLOTS.c.members).where(slot)).first() is not None:
        return False
    values = {"set_id": member.id, "slot": member.slot, "provider_uuid": member.provider, "members": 1}
    tx.execute(insert(_SLOTS), values)
    return True


def slot_leave_txn(tx: Transaction, set_id: str, slot: str) -> None:
    """Count one member of a set less."""
    row = and_(_SLOTS.c.set_id == set_id, _SLOTS.c.slot == slot)
    tx.execute(update(_SLOTS).where(row).values(members=_SLOTS.c.members - 1))
    tx.execute(delete(_SLOTS).where(row, _SLOTS.c.members <= 0))
