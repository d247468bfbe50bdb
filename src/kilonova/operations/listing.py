"""Lists over every cell: each gives its own page in order, and the pages are merged.

Design notes. Every source (a cell, or the servers that are nowhere yet) is asked for what comes after the marker in one total
order, so that the first `limit` of the merged pages are the first of all. The marker's sort values are looked up where the
marker lives; a source continues after those values, whether it has the marker or not. A server may be handed over between two
reads and be seen twice: it is shown once, from its cell. While it is on its way its cell's copy is left out, as `show` does.
"""

import asyncio
import heapq
import logging
from collections.abc import Sequence
from functools import cmp_to_key
from typing import Any

import msgspec

from kilonova.cells import server_map
from kilonova.cells.cells import Cell, Cells
from kilonova.database.database import Database, Transaction
from kilonova.engine import store as operation_store
from kilonova.kernel.errors import Invalid, Unavailable
from kilonova.kernel.ids import CellId, ServerId
from kilonova.objects.server import Server
from kilonova.objects.server_query import DownServer, ServerPage, ServerQuery
from kilonova.operations import cancel, server_filters, store
from kilonova.operations.server_filters import SortValues

log = logging.getLogger(__name__)

CELL_ANSWER_S = 10.0
"""How long a list waits for a cell."""
_ON_THE_WAY = ("handover", *(step.name for step in cancel.PLAN.steps))
"""Steps during which a cell may have a server that still is in the API database, or was deleted there."""

_UNFILTERED = ServerQuery()
_NOT_KNOWN = frozenset(ServerQuery.__struct_fields__) - {"project_id", "user_id", "sort", "marker", "limit"}
"""Conditions that only a server's cell can judge."""
_decode_all = msgspec.json.Decoder(Server).decode


class NoSuchMarker(Invalid):
    """marker [{marker}] not found"""

    code = "no-such-marker"


class Listing:
    """Pages of servers over the API database and every cell."""

    def __init__(self, database: Database, cells: Cells) -> None:
        """`database` is the API database."""
        self._database = database
        self._cells = cells

    async def page(self, query: ServerQuery) -> ServerPage:
        """One page. Raises `Invalid` for an unknown sort key, marker or a regular expression that can't be read."""
        query = _total_order(query)
        server_filters.check(query)
        after = None if query.marker is None else await self._place_of(query, query.marker)
        # The API database first, the cells after: a server on its way is then seen in one of them at least.
        nowhere, having, coming = await self._database.scan(_nowhere_txn, query, after)
        wider = msgspec.structs.replace(query, limit=query.limit + len(coming))
        cells = [cell for cell in self._cells.all if having is None or cell.id in having]
        answers = await asyncio.gather(*(self._ask(cell, wider, after) for cell in cells))
        pages = [nowhere, *(_without(coming, page) for page in answers if page is not None)]
        down = [cell.id for cell, page in zip(cells, answers, strict=True) if page is None]
        merged = _merge(query, pages)
        servers = merged[: query.limit]
        return ServerPage(
            servers=tuple(servers), more=len(merged) > query.limit, down=await self._down(query, down) if down else ()
        )

    async def _ask(self, cell: Cell, query: ServerQuery, after: SortValues | None) -> list[Server] | None:
        """A cell's page; None when it doesn't answer."""
        try:
            async with asyncio.timeout(CELL_ANSWER_S):
                return await cell.database.scan(_page_txn, query, after)
        except (Unavailable, TimeoutError):
            log.warning("cell %s does not answer: the list goes without it", cell.record.name)
            return None

    async def _place_of(self, query: ServerQuery, marker: ServerId) -> SortValues:
        server = await self._database.read(store.server_find_txn, marker)
        if server is None:
            mapping = await self._database.read(server_map.mapping_find_txn, marker)
            if mapping is not None and mapping.cell_id is not None:
                server = await self._cells.get(mapping.cell_id).database.read(store.server_find_txn, marker)
        if server is None or query.project_id not in {None, server.project_id}:
            raise NoSuchMarker(marker=marker)
        return server_filters.sort_values(query, server)

    async def _down(self, query: ServerQuery, cells: Sequence[CellId]) -> tuple[DownServer, ...]:
        """The servers of cells that don't answer; none where a filter can't be applied to them.

        Every page names them, because the cell may answer again when the next one is asked for, and goes on after the marker.
        """
        if any(getattr(query, field) != getattr(_UNFILTERED, field) for field in _NOT_KNOWN):
            return ()
        return tuple(await self._database.scan(server_map.living_in_txn, cells, query))


def _nowhere_txn(
    tx: Transaction, query: ServerQuery, after: SortValues | None
) -> tuple[list[Server], set[CellId] | None, frozenset[ServerId]]:
    """The page of servers that are nowhere, the cells where the others can be (None for any), and those on the way to one.

    While a server is on its way, what the API database says of it holds, and not what its cell may have of it already.
    """
    having = None if query.project_id is None else server_map.project_cells_txn(tx, query.project_id)
    coming = frozenset(operation_store.servers_at_txn(tx, _ON_THE_WAY))
    return _page_txn(tx, query, after), having, coming


def _without(coming: frozenset[ServerId], page: list[Server]) -> list[Server]:
    return [server for server in page if server.id not in coming] if coming else page


def _page_txn(tx: Transaction, query: ServerQuery, after: SortValues | None) -> list[Server]:
    return [_decode_all(row.body) for row in tx.execute(server_filters.page_select(query, after))]


def _total_order(query: ServerQuery) -> ServerQuery:
    """The query with `uuid` as its last key."""
    if query.sort and query.sort[-1][0] == "uuid":
        return query
    direction = query.sort[-1][1] if query.sort else "desc"
    return msgspec.structs.replace(query, sort=(*query.sort, ("uuid", direction)))


def _merge(query: ServerQuery, pages: Sequence[list[Server]]) -> list[Server]:
    filled = [page for page in pages if page]
    if len(filled) <= 1:
        return filled[0] if filled else []
    directions = [-1 if direction == "desc" else 1 for _, direction in query.sort]

    def compare(one: tuple[SortValues, Any], other: tuple[SortValues, Any]) -> int:
        for sign, left, right in zip(directions, one[0], other[0], strict=True):
            if left != right:
                return sign if left > right else -sign
        return 0

    keyed = [[(server_filters.sort_values(query, server), server) for server in page] for page in filled]
    merged: dict[ServerId, Server] = {}
    for _, server in heapq.merge(*keyed, key=cmp_to_key(compare)):
        merged[server.id] = server
        if len(merged) > query.limit:
            break
    return list(merged.values())
