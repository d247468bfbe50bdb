"""Which servers were used between two moments, and how long: what usage records are made of.

Computed from the servers themselves, those that are deleted included, so that nothing has to be collected and kept.
"""

import heapq
import logging
from collections.abc import Sequence

import msgspec
from sqlalchemy import and_, or_, select

from kilonova.cells import server_map
from kilonova.cells.cells import Cells
from kilonova.database.database import Database, Transaction
from kilonova.kernel.errors import Invalid, Unavailable
from kilonova.kernel.ids import ProjectId, ServerId
from kilonova.objects.server import Server
from kilonova.operations.store import servers

log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder(Server).decode


class NoSuchMarker(Invalid):
    """Marker {marker} could not be found."""

    code = "no-such-usage-marker"


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Servers that ran at some time between `begin` and `end`, in seconds since the epoch."""

    begin: float
    end: float
    limit: int
    """Most servers."""
    project_id: ProjectId | None = None
    marker: ServerId | None = None
    """The last server of the page before."""


class Usage:
    """Looks into every cell that answers."""

    def __init__(self, database: Database, cells: Cells) -> None:
        """`database` is the API database."""
        self._database = database
        self._cells = cells

    async def servers(self, query: UsageQuery) -> list[Server]:
        """A page of the servers that were used, ordered by project and id. Raises `NoSuchMarker`."""
        after = None if query.marker is None else await self._place_of(query.marker)
        pages = []
        for cell in self._cells.with_hosts:
            try:
                pages.append(await cell.database.scan(_used_txn, query, after))
            except Unavailable:
                log.warning("cell %s does not answer: usage is told without it", cell.record.name)
        return list(heapq.merge(*pages, key=_place))[: query.limit]

    async def _place_of(self, marker: ServerId) -> tuple[str, str]:
        mapping = await self._database.read(server_map.mapping_find_txn, marker)
        if mapping is None:
            raise NoSuchMarker(marker=marker[:100])
        return mapping.project_id, mapping.server_id


def used_s(server: Server, begin: float, end: float) -> float:
    """How many seconds of the time between `begin` and `end` a server was there for, from its launch to its end."""
    if server.launched_at is None:
        return 0.0
    until = end if server.deleted_at is None else min(server.deleted_at, end)
    return max(0.0, until - max(server.launched_at, begin))


def _place(server: Server) -> tuple[str, str]:
    return server.project_id, server.id


def _used_txn(tx: Transaction, query: UsageQuery, after: tuple[str, str] | None) -> Sequence[Server]:
    columns = servers.c
    wanted = [
        columns.launched_at < query.end,
        or_(columns.deleted_at.is_(None), columns.deleted_at > query.begin),
    ]
    if query.project_id is not None:
        wanted.append(columns.project_id == query.project_id)
    if after is not None:
        project_id, server_id = after
        same = and_(columns.project_id == project_id, columns.id > server_id)
        wanted.append(or_(columns.project_id > project_id, same))
    chosen = select(columns.body).where(*wanted).order_by(columns.project_id, columns.id).limit(query.limit)
    return [_decode(row.body) for row in tx.execute(chosen)]
