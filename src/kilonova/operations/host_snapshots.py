"""What a scheduling decision looks at: the hosts, the aggregates, the server's group.

Facts about hosts change seldom and there are many of them, so they are joined once and kept until one of their sources changes,
or a host has been silent for too long. Everything is asked for at each decision; only the joining is saved.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import bindparam, select

from kilonova.cells import server_map
from kilonova.cells.cells import Cells
from kilonova.cells.hosts import Hosts
from kilonova.database.database import Database, Transaction
from kilonova.database.prepared import Prepared
from kilonova.database.tables.api_database import aggregates, server_groups
from kilonova.kernel.ids import CellId, HostName, ServerId
from kilonova.objects.aggregate import DEFAULT_ZONE, Aggregate
from kilonova.objects.host import DOWN_AFTER_S, Host
from kilonova.objects.server import Server
from kilonova.objects.server_group import ServerGroup
from kilonova.operations import store
from kilonova.operations.host_loads import host_loads
from kilonova.runtime.runtime import Runtime
from kilonova.scheduler.hosts import HostState, Look, host_states, loaded
from kilonova.scheduler.pci import Aliases
from kilonova.scheduler.request import ServerRequest, request_of
from kilonova.scheduler.wishes import NO_ALIASES

_decode_aggregate = msgspec.json.Decoder(Aggregate).decode
_aggregates = Prepared(select(aggregates.c.body).order_by(aggregates.c.id))
_group = Prepared(select(server_groups).where(server_groups.c.id == bindparam("key")))


@dataclass(frozen=True)
class _Joined:
    """Host states, and what they were joined from."""

    hosts: Sequence[Host]
    owing: frozenset[HostName]
    aggregates: Sequence[bytes]
    cells: frozenset[CellId]
    until: float
    """When a host counts as down that is up here, unless it is heard of before."""
    states: list[HostState]


class HostSnapshots:
    """Takes a snapshot for each decision."""

    def __init__(
        self,
        runtime: Runtime,
        database: Database,
        cells: Cells,
        hosts: Hosts,
        look: Look = Look.NOTHING,
        aliases: Aliases = NO_ALIASES,
    ) -> None:
        """`database` is the API database; `look` is what of the hosts' load the scheduler wants to see.

        `aliases` are what flavors call PCI devices.
        """
        self._aliases = aliases
        self._look = look
        self._runtime = runtime
        self._database = database
        self._cells = cells
        self._hosts = hosts
        self._mapped: dict[HostName, CellId] = {}
        self._joined: _Joined | None = None

    async def take(self, server: Server) -> tuple[ServerRequest, list[HostState]]:
        """The wishes of `server`, and every host that may be sent new servers. Raises `BadExtraSpec`."""
        bodies, group = await self._database.read(_read_txn, server.group_id)
        near = {ServerId(id_) for hint in ("same_host", "different_host") for id_ in server.hints.get(hint, ())}
        named = near | set(group.members if group is not None else ())
        request = request_of(server, group, await self._hosts_of(named - {server.id}), self._aliases)
        states, loads = await self._states(bodies), await host_loads(self._cells, self._look)
        return request, loaded(states, loads) if loads else states

    async def hosts(self) -> list[HostState]:
        """Every host that may be sent new servers."""
        bodies, _ = await self._database.read(_read_txn, None)
        return await self._states(bodies)

    async def zone(self, name: HostName) -> str:
        """The availability zone of a host, whatever state it is in."""
        bodies, _ = await self._database.read(_read_txn, None)
        named = (aggregate for aggregate in map(_decode_aggregate, bodies) if name in aggregate.hosts)
        return next((aggregate.zone for aggregate in named if aggregate.zone is not None), DEFAULT_ZONE)

    async def zones(self, hosts: Sequence[Host]) -> dict[HostName, str]:
        """The availability zone of each of the hosts, whatever state they are in."""
        bodies, _ = await self._database.read(_read_txn, None)
        states = host_states(hosts, [_decode_aggregate(body) for body in bodies], self._runtime.now())
        return {state.name: state.zone for state in states}

    async def _states(self, bodies: Sequence[bytes]) -> list[HostState]:
        hosts, owing = await self._hosts.all(), await self._hosts.owing()
        cells = frozenset(cell.id for cell in self._cells.with_hosts if not cell.record.disabled)
        now, joined = self._runtime.now(), self._joined
        if joined is None or joined.hosts is not hosts or now > joined.until:
            joined = None
        if joined is None or (joined.owing, joined.aggregates, joined.cells) != (owing, bodies, cells):
            joined = self._joined = await self._join(hosts, owing, bodies, cells, now)
        return joined.states

    async def _join(
        self,
        hosts: Sequence[Host],
        owing: frozenset[HostName],
        bodies: Sequence[bytes],
        cells: frozenset[CellId],
        now: float,
    ) -> _Joined:
        if any(self._mapped.get(host.name) != host.cell_id for host in hosts):
            self._mapped = await self._hosts.mapped()
        usable = [
            host
            for host in hosts
            if host.cell_id in cells and self._mapped.get(host.name) == host.cell_id and host.name not in owing
        ]
        until = min((host.heartbeat_at + DOWN_AFTER_S for host in usable if host.up(now)), default=now)
        states = host_states(usable, [_decode_aggregate(body) for body in bodies], now)
        return _Joined(hosts, owing, bodies, cells, until, states)

    async def _hosts_of(self, server_ids: Iterable[ServerId]) -> dict[ServerId, HostName]:
        """Where servers are; those that are nowhere are left out."""
        found: dict[ServerId, HostName] = {}
        for server_id in sorted(server_ids):
            mapping = await self._database.read(server_map.mapping_find_txn, server_id)
            if mapping is None or mapping.cell_id is None:
                continue
            server = await self._cells.get(mapping.cell_id).database.read(store.server_find_txn, server_id)
            if server is not None and server.host is not None:
                found[server_id] = server.host
        return found


def _read_txn(tx: Transaction, group_id: str | None) -> tuple[list[bytes], ServerGroup | None]:
    """The bodies of all aggregates, and the group with its living members."""
    bodies = [row.body for row in tx.execute(_aggregates)]
    row = None if group_id is None else tx.execute(_group, {"key": group_id}).mappings().first()
    if group_id is None or row is None:
        return bodies, None
    members = tuple(mapping.server_id for mapping in server_map.group_members_txn(tx, group_id))
    return bodies, ServerGroup(**row, members=members)
