"""Migration records: what users are shown of moves, past and under way. The only module that writes `migrations`.

A record is made with its operation and follows it; its status is the one that Nova's clients know (Compute API, "Migrations").
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, bindparam, insert, select, update

from kilonova.cells.cells import Cells
from kilonova.database.database import Transaction
from kilonova.database.tables.cell_database import migrations
from kilonova.engine import store as operation_store
from kilonova.kernel.errors import Conflict, Invalid, NotFound
from kilonova.kernel.ids import OperationId, ServerId
from kilonova.objects.migration import Migration, MigrationQuery
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server
from kilonova.operations.plans import confirm_resize, delete, evacuate, live_migration, resize, revert_resize

_COLD = {
    **dict.fromkeys(("claim",), "pre-migrating"),
    **dict.fromkeys(("stop", "volumes", "offer", "receive", "offer_end"), "migrating"),
    **dict.fromkeys(("ports", "start", "resize"), "post-migrating"),
    "done": "finished",
    "failed": "error",
}
_LIVE = {
    "claim": "accepted",
    **dict.fromkeys(("volumes", "incoming"), "preparing"),
    **dict.fromkeys(("migrate", "verify", "arrived", "ports", "leave", "volumes_left", "release"), "running"),
    "done": "completed",
    "failed": "failed",
}
_EVACUATION = {
    "images": "accepted",
    "cards": "accepted",
    "claim": "accepted",
    **dict.fromkeys(("ports", "volumes", "spawn", "leave", "volumes_left", "release"), "pre-migrating"),
    "done": "done",
    "failed": "failed",
}
_KINDS: Mapping[str, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        resize.PLAN.kind: ("resize", _COLD),
        resize.MIGRATE.kind: ("migration", _COLD),
        live_migration.KIND: ("live-migration", _LIVE),
        evacuate.KIND: ("evacuation", _EVACUATION),
    }
)
"""Of each kind of operation that moves a server: the type that users see, and the status by step and end."""
_SETTLES = {
    confirm_resize.PLAN.kind: "confirmed",
    revert_resize.PLAN.kind: "reverted",
    delete.PLAN.kind: "confirmed",
}
"""What becomes of the record of a finished move when one of these is done."""
_UNDER_WAY = frozenset({"accepted", "preparing", "running"})

_insert = insert(migrations)
_by_operation = migrations.c.uuid == bindparam("operation")
_change = update(migrations).where(_by_operation)
_newest_first = (migrations.c.created_at.desc(), migrations.c.id.desc())


class NoSuchMigration(NotFound):
    """Migration {id} could not be found for server {server_id}."""

    code = "no-such-migration"


class WrongMigrationState(Invalid):
    """Migration {id} of instance {server_id} is in state {status}. Cannot {wish} while the migration is in this state."""

    code = "wrong-migration-state"


class NotMigrating(Conflict):
    """Instance {server_id} is not being migrated live"""

    code = "not-migrating"


def accepted_txn(tx: Transaction, server: Server, operation: Operation) -> None:
    """Make the record of a move that is accepted, or do nothing for another operation."""
    if operation.kind not in _KINDS:
        return
    kind, statuses = _KINDS[operation.kind]
    flavor = operation.params.get("flavor", {})
    values = {
        "uuid": operation.id,
        "server_id": server.id,
        "project_id": server.project_id,
        "user_id": operation.user_id,
        "kind": kind,
        "status": statuses[operation.step],
        "source": server.host,
        "dest": operation.params.get("to"),
        "old_flavor_id": server.flavor.id,
        "new_flavor_id": flavor.get("id", server.flavor.id),
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    tx.execute(_insert, values)


def moved_txn(tx: Transaction, operation: Operation, before: Server) -> None:
    """Let the record follow a move of its operation; `before` is the server as it was before that."""
    if operation.kind in _KINDS:
        changes: dict[str, Any] = {"status": status_of(operation), "updated_at": tx.now}
        dest = operation.outputs.get("dest", operation.outputs.get("here"))
        if dest is not None:
            changes["dest"] = dest
        tx.execute(_change.values(**changes), {"operation": operation.id})
    elif operation.kind in _SETTLES and operation.state is OperationState.DONE and before.move is not None:
        settled = _change.where(migrations.c.status == "finished").values(
            status=_SETTLES[operation.kind], updated_at=tx.now
        )
        tx.execute(settled, {"operation": before.move.operation_id})


def superseded_txn(tx: Transaction, operation: Operation) -> None:
    """The move of this record was ended by another operation."""
    if operation.kind in _KINDS:
        tx.execute(_change.values(status="error", updated_at=tx.now), {"operation": operation.id})


def status_of(operation: Operation) -> str:
    """The status of a move."""
    _, statuses = _KINDS[operation.kind]
    if operation.state is OperationState.FAILED and operation.params.get("wish") == live_migration.ABORT:
        return "cancelled"
    at_its_end = {OperationState.DONE: "done", OperationState.FAILED: "failed"}
    return statuses[at_its_end.get(operation.state, operation.step)]


def of_server_txn(tx: Transaction, server_id: ServerId) -> list[Migration]:
    """The live migrations of a server that are under way."""
    found = _found_txn(tx, (migrations.c.server_id == server_id, migrations.c.kind == "live-migration"), None)
    return [migration for migration in found if migration.status in _UNDER_WAY]


def wish_txn(tx: Transaction, server_id: ServerId, migration_id: int, wish: str, allowed: frozenset[str]) -> None:
    """Tell the host of a live migration that it is to be aborted, or forced to its end.

    Raises `NoSuchMigration`, and `WrongMigrationState` unless its status is one of `allowed`.
    """
    found = _found_txn(tx, (migrations.c.server_id == server_id, migrations.c.id == migration_id), 1)
    if not found or found[0].kind != "live-migration":
        raise NoSuchMigration(id=migration_id, server_id=server_id)
    operation = operation_store.operation_get_txn(tx, OperationId(found[0].uuid))
    ours = operation is not None and operation.state is OperationState.RUNNING and operation.host is not None
    if operation is None or not ours or found[0].status not in allowed or operation.step not in {"incoming", "migrate"}:
        raise WrongMigrationState(id=migration_id, server_id=server_id, status=found[0].status, wish=wish)
    wishing = msgspec.structs.replace(operation, params=live_migration.wished(operation, wish))
    operation_store.operation_save_txn(tx, operation, wishing)


class Migrations:
    """The records of all cells."""

    def __init__(self, cells: Cells) -> None:
        """Look in `cells`."""
        self._cells = cells

    async def list(self, query: MigrationQuery) -> list[Migration]:
        """A page of the records that `query` asks for, newest first. Raises `NotFound` for a marker that is not there."""
        found: list[Migration] = []
        for cell in self._cells.with_hosts:
            found += await cell.database.scan(_found_txn, _conditions(query), None)
        found.sort(key=lambda migration: (migration.created_at, migration.id, migration.uuid), reverse=True)
        if query.marker is not None:
            position = next((at for at, one in enumerate(found) if one.uuid == query.marker), None)
            if position is None:
                raise NotFound(kind="Migration", id=query.marker[:100])
            found = found[position + 1 :]
        return found[: query.limit]


def _conditions(query: MigrationQuery) -> tuple[ColumnElement[bool], ...]:
    columns = migrations.c
    conditions: list[ColumnElement[bool]] = []
    if query.host is not None:
        conditions.append((columns.source == query.host) | (columns.dest == query.host))
    if query.changes_since is not None:
        conditions.append(columns.updated_at >= query.changes_since)
    if query.changes_before is not None:
        conditions.append(columns.updated_at <= query.changes_before)
    for name in ("status", "source", "kind", "server_id", "project_id", "user_id"):
        value = getattr(query, name)
        if value is not None:
            conditions.append(columns[name] == value)
    return tuple(conditions)


def _found_txn(tx: Transaction, conditions: tuple[ColumnElement[bool], ...], most: int | None) -> list[Migration]:
    rows = tx.execute(select(migrations).where(*conditions).order_by(*_newest_first).limit(most)).mappings()
    return [Migration(**row) for row in rows]
