"""What a scheduling decision looks at, read in one go: the hosts, the aggregates, the server's group."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import select

from kilonova.cells import server_map
from kilonova.database.database import Transaction
from kilonova.database.tables.api_database import aggregates, server_groups
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.aggregate import Aggregate
from kilonova.objects.server import Server
from kilonova.objects.server_group import ServerGroup
from kilonova.operations import store
from kilonova.operations.work import Parts
from kilonova.scheduler.hosts import HostState, host_states
from kilonova.scheduler.request import ServerRequest, request_of

_decode_aggregate = msgspec.json.Decoder(Aggregate).decode


async def take(parts: Parts, server: Server) -> tuple[ServerRequest, list[HostState]]:
    """The wishes of `server`, and every host that may be sent new servers. Raises `BadExtraSpec`."""
    hosts = await parts.hosts.all()
    owing, mapped = await parts.hosts.owing(), await parts.hosts.mapped()
    zones, group = await parts.database.read(_read_txn, server)
    near = {ServerId(id_) for hint in ("same_host", "different_host") for id_ in server.hints.get(hint, ())}
    named = near | set(group.members if group is not None else ())
    request = request_of(server, group, await _hosts_of(parts, named - {server.id}))
    usable = [host for host in hosts if host.name in mapped and host.name not in owing]
    enabled = {cell.id for cell in parts.cells.with_hosts if not cell.record.disabled}
    states = host_states([host for host in usable if host.cell_id in enabled], zones, parts.runtime.now(), {})
    return request, states


def _read_txn(tx: Transaction, server: Server) -> tuple[list[Aggregate], ServerGroup | None]:
    zones = [_decode_aggregate(row.body) for row in tx.execute(select(aggregates.c.body))]
    if server.group_id is None:
        return zones, None
    row = tx.execute(select(server_groups).where(server_groups.c.id == server.group_id)).mappings().first()
    if row is None:
        return zones, None
    members = tuple(mapping.server_id for mapping in server_map.group_members_txn(tx, server.group_id))
    return zones, ServerGroup(**row, members=members)


async def _hosts_of(parts: Parts, server_ids: Iterable[ServerId]) -> dict[ServerId, HostName]:
    """Where servers are; those that are nowhere are left out."""
    found: dict[ServerId, HostName] = {}
    for server_id in sorted(server_ids):
        mapping = await parts.database.read(server_map.mapping_find_txn, server_id)
        if mapping is None or mapping.cell_id is None:
            continue
        server = await parts.cells.get(mapping.cell_id).database.read(store.server_find_txn, server_id)
        if server is not None and server.host is not None:
            found[server_id] = server.host
    return found
