"""Trees of providers: made below a parent, moved with all that is below them.

Design notes. A provider knows its parent and the root of its tree; a root is its own. Whoever moves a provider writes the new
root into everything below it in the same transaction, so that one tree is one value in one column.
"""

from collections.abc import Mapping

from sqlalchemy import select

from kilonova.database.database import Transaction
from kilonova.placement import providers, queries, store, tables
from kilonova.placement.errors import BadParent, DuplicateName
from kilonova.placement.shapes import Provider


def create_txn(tx: Transaction, uuid: str, name: str, parent: str | None) -> Provider:
    """Make a provider below `parent`, or the root of a tree of its own.

    Raises:
        BadParent: there is no such parent, or it is the provider itself.
        DuplicateName: another one has the name or the UUID.
    """
    verb, worded = "create", f'"{name}", {uuid}'
    if parent == uuid:
        reason = (
            "Object action create failed because: parent provider UUID cannot be same as UUID. "
            "Please set parent provider UUID to None if there is no parent."
        )
        raise BadParent(verb=verb, provider=worded, reason=reason)
    root = uuid if parent is None else _root_of_parent(tx, parent, verb, worded)
    taken = [f"uuid: {uuid}"] if queries.providers_txn(tx, [uuid]) else []
    if providers.names_taken_txn(tx, {name: uuid}):
        taken.append(f"name: {name}")
    if taken:
        raise DuplicateName(what=", ".join(taken))
    store.provider_insert_txn(tx, uuid, name, parent, root)
    return queries.provider_txn(tx, uuid)


def rename_txn(tx: Transaction, uuid: str, name: str) -> None:
    """Give a provider another name. Raises `DuplicateName`."""
    if providers.names_taken_txn(tx, {name: uuid}):
        raise DuplicateName(what=name)
    store.provider_rename_txn(tx, uuid, name)


def move_txn(tx: Transaction, provider: Provider, parent: str | None, *, freely: bool) -> None:
    """Put a provider below another parent, or let it be a root, with all that is below it.

    Without `freely` (before 1.37) only a root may be moved, below a parent.

    Raises:
        BadParent: there is no such parent, it is below the provider, or the move isn't allowed.
    """
    uuid, verb = provider.uuid, "save"
    if parent == provider.parent_uuid:
        return
    if provider.parent_uuid is not None and not freely:
        deed = "un-parenting" if parent is None else "re-parenting"
        reason = f"Object action update failed because: {deed} a provider is not currently allowed."
        raise BadParent(verb=verb, provider=uuid, reason=reason)
    root = uuid if parent is None else _root_of_parent(tx, parent, verb, uuid)
    below = subtree_txn(tx, provider)
    if parent in below:
        reason = "Object action update failed because: creating loop in the provider tree is not allowed."
        raise BadParent(verb=verb, provider=uuid, reason=reason)
    store.provider_move_txn(tx, uuid, parent, root, below)


def subtree_txn(tx: Transaction, provider: Provider) -> frozenset[str]:
    """The provider and all below it."""
    c = tables.providers.c
    tree = tx.execute(select(c.uuid, c.parent_uuid).where(c.root_uuid == provider.root_uuid)).all()
    children: dict[str, list[str]] = {}
    for row in tree:
        if row.parent_uuid is not None:
            children.setdefault(row.parent_uuid, []).append(row.uuid)
    return _reached(provider.uuid, children)


def _reached(top: str, children: Mapping[str, list[str]]) -> frozenset[str]:
    found = [top]
    for uuid in found:
        found += children.get(uuid, ())
    return frozenset(found)


def _root_of_parent(tx: Transaction, parent: str, verb: str, provider: str) -> str:
    found = queries.providers_txn(tx, [parent]).get(parent)
    if found is None:
        reason = "Object action create failed because: parent provider UUID does not exist."
        raise BadParent(verb=verb, provider=provider, reason=reason)
    return found.root_uuid
