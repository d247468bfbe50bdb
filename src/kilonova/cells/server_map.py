"""The map of servers: which cell each is in, if any. The only module that writes `server_map`."""

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import RowMapping, bindparam, func, insert, select, update

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.database.tables.api_database import server_map
from kilonova.kernel.ids import CellId, OperationId, ProjectId, ServerId, UserId
from kilonova.objects.flavor import Flavor
from kilonova.objects.server import Server
from kilonova.objects.server_query import DownServer, ServerQuery


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server is. Its row stays when the server is deleted, so that deleted ones can be listed."""

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


_COLUMNS = tuple(server_map.c[name] for name in Mapping.__struct_fields__)
_by_id = Prepared(select(*_COLUMNS).where(server_map.c.server_id == bindparam("key")))
_insert = Prepared(insert(server_map))
_set_cell = Prepared(
    update(server_map)
    .where(server_map.c.server_id == bindparam("key"))
    .values(
        cell_id=bindparam("cell"),
        availability_zone=func.coalesce(bindparam("zone"), server_map.c.availability_zone),
    )
)
_outlines = select(
    server_map.c.server_id.label("id"),
    *(server_map.c[name] for name in DownServer.__struct_fields__ if name != "id"),
)
_decode_flavor = msgspec.json.Decoder(Flavor).decode


def mapping_find_txn(tx: Transaction, server_id: ServerId) -> Mapping | None:
    """The row of a server; None when there never was one."""
    row = tx.execute(_by_id, {"key": server_id}).mappings().first()
    return None if row is None else Mapping(**row)


def mapping_add_txn(tx: Transaction, server: Server, operation_id: OperationId) -> None:
    """Add the row of a new server, which is nowhere yet; `operation_id` is its boot."""
    row = {
        "server_id": server.id,
        "project_id": server.project_id,
        "user_id": server.user_id,
        "cell_id": None,
        "operation_id": operation_id,
        "group_id": server.group_id,
        "created_at": server.created_at,
        "deleted_at": None,
        **_outline(server.flavor, server.image_id, server.availability_zone),
    }
    tx.execute(_insert, row)


def mapping_set_cell_txn(tx: Transaction, server_id: ServerId, cell_id: CellId, zone: str | None = None) -> None:
    """Say which cell has it, and in which zone it is, if that is known."""
    tx.execute(_set_cell, {"key": server_id, "cell": cell_id, "zone": zone})


def mapping_set_outline_txn(
    tx: Transaction, server_id: ServerId, flavor: Flavor, image_id: str | None, zone: str | None
) -> None:
    """Keep what is shown of a server while its cell doesn't answer, after a resize, a rebuild or a move."""
    of_it = server_map.c.server_id == server_id
    tx.execute(update(server_map).where(of_it).values(**_outline(flavor, image_id, zone)))


def mappings_deleted_txn(tx: Transaction, server_ids: Sequence[ServerId]) -> None:
    """Say that these are deleted."""
    of_these = server_map.c.server_id.in_(server_ids)
    tx.execute(update(server_map).where(of_these, server_map.c.deleted_at.is_(None)).values(deleted_at=tx.now))


def group_members_txn(tx: Transaction, group_id: str) -> list[Mapping]:
    """The living members of a server group, oldest first."""
    members = select(*_COLUMNS).where(server_map.c.group_id == group_id, server_map.c.deleted_at.is_(None))
    return [Mapping(**row) for row in tx.execute(members.order_by(server_map.c.created_at)).mappings()]


def project_cells_txn(tx: Transaction, project_id: ProjectId) -> set[CellId]:
    """The cells in which a project has, or had, servers."""
    rows = tx.execute(
        select(server_map.c.cell_id)
        .where(server_map.c.project_id == project_id, server_map.c.cell_id.is_not(None))
        .distinct()
    )
    return {CellId(row.cell_id) for row in rows}


def servers_known_txn(tx: Transaction, ids: Collection[str]) -> dict[ServerId, bool]:
    """Those of `ids` that name a server, and whether it is deleted."""
    rows = tx.execute(
        select(server_map.c.server_id, server_map.c.deleted_at).where(server_map.c.server_id.in_(list(ids)))
    )
    return {ServerId(row.server_id): row.deleted_at is not None for row in rows}


def living_in_txn(tx: Transaction, cell_ids: Sequence[CellId], query: ServerQuery) -> list[DownServer]:
    """What is known here of the newest living servers of some cells, as many as `query` asks for of its project and user."""
    living = _outlines.where(server_map.c.cell_id.in_(cell_ids), server_map.c.deleted_at.is_(None))
    if query.project_id is not None:
        living = living.where(server_map.c.project_id == query.project_id)
    if query.user_id is not None:
        living = living.where(server_map.c.user_id == query.user_id)
    rows = tx.execute(living.order_by(server_map.c.created_at.desc()).limit(query.limit))
    return [_down_server(row) for row in rows.mappings()]


def outline_find_txn(tx: Transaction, server_id: ServerId) -> DownServer | None:
    """What is known here of a living server that is in a cell; None of any other."""
    there = (server_map.c.server_id == server_id, server_map.c.cell_id.is_not(None), server_map.c.deleted_at.is_(None))
    row = tx.execute(_outlines.where(*there)).mappings().first()
    return None if row is None else _down_server(row)


def _down_server(row: RowMapping) -> DownServer:
    return DownServer(**{**row, "flavor": row["flavor"] and _decode_flavor(row["flavor"])})


def _outline(flavor: Flavor, image_id: str | None, zone: str | None) -> dict[str, object]:
    return {"flavor": msgspec.json.encode(flavor), "image_id": image_id, "availability_zone": zone}
