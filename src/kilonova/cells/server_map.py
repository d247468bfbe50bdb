"""The map of servers: which cell each is in, if any. The only module that writes `server_map`."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, insert, select, update

from kilonova.database.database import Transaction
from kilonova.database.tables.api_database import server_map
from kilonova.kernel.ids import CellId, OperationId, ProjectId, ServerId, UserId


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """One row: where a server is. It stays when the server is deleted, so that deleted ones can be listed."""

    server_id: ServerId
    project_id: ProjectId
    user_id: UserId
    cell_id: CellId | None
    """None while it is nowhere yet."""
    operation_id: OperationId
    """Its boot, which stands in the API database while `cell_id` is None."""
    group_id: str | None
    created_at: float
    deleted_at: float | None


_by_id = select(server_map).where(server_map.c.server_id == bindparam("key"))
_insert = insert(server_map)
_set_cell = update(server_map).where(server_map.c.server_id == bindparam("key")).values(cell_id=bindparam("cell"))


def mapping_find_txn(tx: Transaction, server_id: ServerId) -> Mapping | None:
    """The row of a server; None when there never was one."""
    row = tx.execute(_by_id, {"key": server_id}).mappings().first()
    return None if row is None else Mapping(**row)


def mapping_add_txn(tx: Transaction, mapping: Mapping) -> None:
    """Add the row of a new server."""
    tx.execute(_insert, msgspec.structs.asdict(mapping))


def mapping_set_cell_txn(tx: Transaction, server_id: ServerId, cell_id: CellId) -> None:
    """Say which cell has it."""
    tx.execute(_set_cell, {"key": server_id, "cell": cell_id})


def mappings_deleted_txn(tx: Transaction, server_ids: Sequence[ServerId]) -> None:
    """Say that these are deleted."""
    of_these = server_map.c.server_id.in_(server_ids)
    tx.execute(update(server_map).where(of_these, server_map.c.deleted_at.is_(None)).values(deleted_at=tx.now))


def group_members_txn(tx: Transaction, group_id: str) -> list[Mapping]:
    """The living members of a server group, oldest first."""
    members = select(server_map).where(server_map.c.group_id == group_id, server_map.c.deleted_at.is_(None))
    return [Mapping(**row) for row in tx.execute(members.order_by(server_map.c.created_at)).mappings()]


def project_cells_txn(tx: Transaction, project_id: ProjectId) -> set[CellId]:
    """The cells in which a project has, or had, servers."""
    rows = tx.execute(
        select(server_map.c.cell_id)
        .where(server_map.c.project_id == project_id, server_map.c.cell_id.is_not(None))
        .distinct()
    )
    return {CellId(row.cell_id) for row in rows}


def living_in_txn(
    tx: Transaction, cell_ids: Sequence[CellId], project_id: ProjectId | None, most: int
) -> list[Mapping]:
    """The newest living servers of some cells, of one project or of all."""
    living = select(server_map).where(server_map.c.cell_id.in_(cell_ids), server_map.c.deleted_at.is_(None))
    if project_id is not None:
        living = living.where(server_map.c.project_id == project_id)
    rows = tx.execute(living.order_by(server_map.c.created_at.desc()).limit(most))
    return [Mapping(**row) for row in rows.mappings()]
