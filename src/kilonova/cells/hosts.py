"""Hosts: the only module that writes `hosts` of a cell and `host_map` of the API database.

A host that was down and is back is in quarantine: it gets no work and no new servers until all its guests were seen, and those
that had to end meanwhile are gone. So a guest that was made anew elsewhere never runs in two places because of us.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, delete, func, insert, or_, select, update

from kilonova.cells import agents as agents_of
from kilonova.cells.agents import Agent
from kilonova.cells.cells import Cell, Cells
from kilonova.database.database import Database, Transaction
from kilonova.database.prepared import Prepared
from kilonova.database.tables.api_database import host_map
from kilonova.database.tables.cell_database import agents, hosts, migrations, operations, servers, tombstones
from kilonova.kernel.errors import Conflict, NotFound, Unavailable
from kilonova.kernel.ids import CellId, HostName
from kilonova.notifications import payloads
from kilonova.notifications.outbox import note_txn
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import HostDescription
from kilonova.objects.host import DOWN_AFTER_S, WITHOUT_EPOCHS, Host, Session
from kilonova.objects.migration import MIGRATION_OPEN

log = logging.getLogger(__name__)

_stamp = Prepared(
    select(
        select(func.count()).select_from(hosts).scalar_subquery(),
        select(func.max(hosts.c.updated_at)).scalar_subquery(),
    )
)
_beats = Prepared(select(agents.c.name, agents.c.heartbeat_at))
_owing = select(tombstones.c.host).distinct()
# Said like this, SQLite uses the index.
_in_quarantine = select(hosts.c.name).where(hosts.c.quarantined_at > 0.0)
_served = select(hosts.c.name, hosts.c.description, hosts.c.agent, hosts.c.epoch)
_of_name = update(hosts).where(hosts.c.name == bindparam("key"))
_its = (hosts.c.agent == bindparam("the_agent"), hosts.c.epoch == bindparam("the_epoch"))
_of_agent = update(hosts).where(*_its)
_serves = select(hosts.c.name).where(hosts.c.name == bindparam("key"), *_its)
_moving = (
    select(func.count())
    .select_from(migrations)
    .where(
        or_(migrations.c.source == bindparam("host"), migrations.c.dest == bindparam("host")),
        migrations.c.status.in_(MIGRATION_OPEN),
    )
)
_at_work = (
    select(func.count()).select_from(operations).where(operations.c.live == 1, operations.c.host == bindparam("host"))
)
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(HostDescription).decode


class _Sized(msgspec.Struct):
    """The part of a server's body that says how large it is."""

    flavor: Flavor


_decode_size = msgspec.json.Decoder(_Sized).decode


class HostBusy(Conflict):
    """Host {host} still has {count} servers; move or delete them first."""

    code = "host-busy"


class HostUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What the servers of one host take of it."""

    servers: int
    vcpus: int
    memory_mb: int
    disk_gb: int


class Hosts:
    """The hosts of every cell, read through a cache that costs one small query a cell to check."""

    def __init__(self, database: Database, cells: Cells) -> None:
        """`database` is the API database."""
        self._database = database
        self._cells = cells
        self._seen: dict[CellId, _Seen] = {}
        self._merged: tuple[list[_Seen], Sequence[Host]] = ([], ())

    async def all(self) -> Sequence[Host]:
        """Every host of the cells that answer, ordered by name; the very same sequence as long as nothing has changed."""
        found = await asyncio.gather(*(self._if_up(cell) for cell in self._cells.with_hosts))
        before, merged = self._merged
        if len(before) != len(found) or any(old is not new for old, new in zip(before, found, strict=True)):
            merged = sorted((host for seen in found for host in seen.hosts), key=lambda host: host.name)
            self._merged = (found, merged)
        return merged

    async def unanswered(self) -> list[HostName]:
        """The hosts of cells that don't answer, ordered by name: all that is known of them."""
        with_hosts = self._cells.with_hosts
        found = await asyncio.gather(*(self._if_up(cell) for cell in with_hosts))
        down = {cell.id for cell, seen in zip(with_hosts, found, strict=True) if seen is _NOT_SEEN}
        return sorted(name for name, cell_id in (await self.mapped()).items() if cell_id in down) if down else []

    async def get(self, name: HostName) -> Host:
        """One host. Raises `NotFound`, and `Unavailable` when its cell doesn't answer."""
        known = next((host for host in await self.all() if host.name == name), None)
        cell_id = (await self.mapped()).get(name) if known is None else None
        if cell_id is not None:  # its cell has just not answered
            seen = await self._of_cell(self._cells.get(cell_id))
            known = next((host for host in seen.hosts if host.name == name), None)
        if known is not None:
            return known
        raise NotFound(kind="Host", id=name)

    async def by_uuid(self, uuid: str) -> Host:
        """The host with this hypervisor or service UUID. Raises `NotFound`."""
        for host in await self.all():
            if uuid in {host.uuid, host.service_uuid}:
                return host
        raise NotFound(kind="Host", id=uuid)

    async def enable(self, name: HostName) -> Host:
        """Let the scheduler use it. Raises `NotFound`."""
        return await self._change(name, enabled=True, disabled_reason=None)

    async def disable(self, name: HostName, reason: str | None) -> Host:
        """Keep new servers away from it. Raises `NotFound`."""
        return await self._change(name, enabled=False, disabled_reason=reason)

    async def force_down(self, name: HostName, *, down: bool) -> Host:
        """Declare it down, or take that back. Raises `NotFound`."""
        host = await self.get(name)
        await self._cells.get(host.cell_id).database.write(host_force_down_txn, name, down)
        return await self.get(name)

    async def check_idle(self, host: Host) -> None:
        """Raise `HostBusy` while the host has servers, or anything is done there."""
        await self._cells.get(host.cell_id).database.read(host_check_idle_txn, host.name)

    async def delete(self, name: HostName) -> None:
        """Forget a host. Raises `HostBusy` while it has servers, `NotFound`. Its provider is for `host_remove`."""
        host = await self.get(name)
        await self._cells.get(host.cell_id).database.write(host_delete_txn, name)
        await self._database.write(lambda tx: tx.execute(delete(host_map).where(host_map.c.host == name)))

    async def server_counts(self) -> dict[HostName, int]:
        """How many servers live on each host that has any, in the cells that answer."""
        counts: dict[HostName, int] = {}
        for cell in self._cells.with_hosts:
            with suppress(Unavailable):
                counts.update(await cell.database.scan(server_counts_txn))
        return counts

    async def usage(self) -> dict[HostName, HostUsage]:
        """What servers take of each host that has any, in the cells that answer."""
        found: dict[HostName, HostUsage] = {}
        for cell in self._cells.with_hosts:
            with suppress(Unavailable):
                found.update(await cell.database.scan(usage_txn))
        return found

    async def owing(self) -> frozenset[HostName]:
        """Hosts with tombstones, or in quarantine: they get no new servers until they have settled."""
        found: set[HostName] = set()
        for cell in self._cells.with_hosts:
            with suppress(Unavailable):
                found |= await cell.database.read(hosts_owing_txn)
        return frozenset(found)

    async def mapped(self) -> dict[HostName, CellId]:
        """The hosts that the API database knows, and the cell of each: those that servers may be sent to."""
        return await self._database.read(hosts_mapped_txn)

    async def map_new(self, hosts_: Sequence[Host]) -> list[Host]:
        """Make those of `hosts_` known that are not yet; which these were."""
        known = await self.mapped()
        new = [host for host in hosts_ if host.name not in known]
        if new:
            await self._database.write(hosts_map_txn, new)
        return new

    async def _change(self, name: HostName, **values: object) -> Host:
        host = await self.get(name)
        await self._cells.get(host.cell_id).database.write(host_change_txn, name, values)
        return await self.get(name)

    async def _if_up(self, cell: Cell) -> "_Seen":
        """The hosts of a cell; none when it doesn't answer: a cell that is down is no reason to do without the others."""
        try:
            return await self._of_cell(cell)
        except Unavailable as error:
            log.warning("%s", error.message)
            return _NOT_SEEN

    async def _of_cell(self, cell: Cell) -> "_Seen":
        stamp, beats = await cell.database.read(_stamp_txn)
        seen = self._seen.get(cell.id)
        if seen is None or seen.stamp != stamp:
            seen = self._seen[cell.id] = _Seen(stamp, beats, await cell.database.scan(hosts_txn, cell.id))
        elif seen.beats != beats:
            heard = [msgspec.structs.replace(host, heartbeat_at=beats.get(host.agent, 0.0)) for host in seen.hosts]
            seen = self._seen[cell.id] = _Seen(stamp, beats, heard)
        return seen


@dataclass(frozen=True)
class _Seen:
    """The hosts of a cell as they were read."""

    stamp: tuple[int, float | None]
    beats: dict[str, float]
    hosts: Sequence[Host]


_NOT_SEEN = _Seen((0, None), {}, ())
"""In place of a cell that doesn't answer."""


def hosts_register_txn(
    tx: Transaction,
    agent: str,
    wire: str,
    descriptions: Sequence[HostDescription],
    new_uuid: Callable[[], str],
    session: Session = WITHOUT_EPOCHS,
) -> tuple[int, bool]:
    """Write what an agent says of its hosts, and the level it speaks at.

    A session takes its hosts at the epoch that it asks for, if that is higher than those of all of them; hosts that were down
    are in quarantine then. A session that has its hosts describes them: new ones are added, and those that another agent has
    taken meanwhile are passed over.

    Returns:
        The highest epoch of the agent and its hosts now, and whether they are the session's. Else nothing was written.
    """
    known = agents_of.agent_find_txn(tx, agent)
    there = {row.name: row for row in tx.execute(_served)}
    if known is not None and known.held_by(session):
        agents_of.agent_speak_txn(tx, agent, wire)
        mine = [one for one in descriptions if _may_describe(known, there.get(one.name))]
        _write_txn(tx, agent, known.epoch, mine, there, new_uuid)
        return known.epoch, True
    before: list[int] = [there[one.name].epoch for one in descriptions if one.name in there]
    highest = max([0 if known is None else known.epoch, *before])
    if session.id and session.epoch <= highest:
        return highest, False
    session = msgspec.structs.replace(session, epoch=session.epoch or highest + 1)
    silent = agents_of.agents_silent_txn(tx)
    taken = [one.name for one in descriptions if one.name in there]
    back = [name for name in taken if there[name].agent in silent]
    agents_of.agent_take_txn(tx, agent, wire, session)
    _write_txn(tx, agent, session.epoch, descriptions, there, new_uuid)
    if taken:
        tx.execute(_of_name.values(epoch=session.epoch), [{"key": name} for name in taken])
    if back:
        tx.execute(_of_name.values(quarantined_at=tx.now), [{"key": name} for name in back])
    return session.epoch, True


def _may_describe(agent: Agent, host: Row[Any] | None) -> bool:
    """Whether what the agent says of a host is to be written: it has it, or the host is new.

    A deleted host is new when its agent was heard of since: a message that comes late doesn't bring it back.
    """
    if host is None:
        return agent.forgot_at is None or agent.heartbeat_at > agent.forgot_at
    return (host.agent, host.epoch) == (agent.name, agent.epoch)


def _write_txn(
    tx: Transaction,
    agent: str,
    epoch: int,
    descriptions: Sequence[HostDescription],
    there: Mapping[str, Row[Any]],
    new_uuid: Callable[[], str],
) -> None:
    """Write new hosts, and what has changed of others."""
    new, changed = [], []
    for description in descriptions:
        body, row = _encode(description), there.get(description.name)
        if row is None:
            new.append(_new_host(tx, agent, epoch, description.name, body, new_uuid))
        elif (row.description, row.agent) != (body, agent):
            changed.append({"key": description.name, "description": body, "agent": agent, "updated_at": tx.now})
    if new:
        tx.execute(insert(hosts), new)
        for one in new:
            _tell_txn(tx, "create", HostName(str(one["name"])))
    if changed:
        tx.execute(_of_name, changed)


def agent_beat_txn(tx: Transaction, agent: str, epoch: int = 0) -> float | None:
    """One heartbeat, for all hosts of the agent at once; its time. It counts for nothing before the agent has registered.

    Hosts that were down are in quarantine from now on. None when a later session speaks in the agent's name.
    """
    known = agents_of.agent_find_txn(tx, agent)
    if known is None:
        return tx.now
    if not known.speaks(epoch):
        return None
    if known.silent(tx.now):
        tx.execute(_of_agent.values(quarantined_at=tx.now), {"the_agent": agent, "the_epoch": known.epoch})
    agents_of.agent_heard_txn(tx, agent)
    return tx.now


def host_served_txn(tx: Transaction, name: HostName, agent: str, epoch: int) -> bool:
    """Whether an agent serves a host at this epoch."""
    return tx.execute(_serves, {"key": name, "the_agent": agent, "the_epoch": epoch}).first() is not None


def hosts_settle_txn(
    tx: Transaction, agent: str, epoch: int, seen_after: float, unsettled: Collection[HostName]
) -> bool:
    """End the quarantine of the agent's hosts that owe nothing and whose guests were all seen since they came back.

    `seen_after` is when the agent began to look at the earliest, `unsettled` are the hosts on which it saw guests that must go.
    Whether there were any.
    """
    settled = (
        hosts.c.quarantined_at <= seen_after,
        hosts.c.name.not_in(_owing),
        hosts.c.name.not_in(sorted(unsettled)),
    )
    ended = tx.execute(_of_agent.where(*settled).values(quarantined_at=None), {"the_agent": agent, "the_epoch": epoch})
    return ended.rowcount > 0


def hosts_txn(tx: Transaction, cell_id: CellId) -> list[Host]:
    """Every host of a cell, ordered by name."""
    heard = {row.name: row.heartbeat_at for row in tx.execute(_beats)}
    return [
        Host(
            name=HostName(row.name),
            cell_id=cell_id,
            uuid=row.uuid,
            service_uuid=row.service_uuid,
            agent=row.agent,
            enabled=row.enabled,
            disabled_reason=row.disabled_reason,
            forced_down=row.forced_down,
            heartbeat_at=heard.get(row.agent, 0.0),
            created_at=row.created_at,
            updated_at=row.updated_at,
            description=_decode(row.description),
        )
        for row in tx.execute(select(hosts).order_by(hosts.c.name))
    ]


def hosts_up_txn(tx: Transaction) -> frozenset[HostName]:
    """The hosts of a cell whose agents are there: see `Host.up`."""
    heard = select(agents.c.name).where(agents.c.heartbeat_at >= tx.now - DOWN_AFTER_S)
    up = select(hosts.c.name).where(hosts.c.forced_down.is_(False), hosts.c.agent.in_(heard))
    return frozenset(HostName(row.name) for row in tx.execute(up))


def host_change_txn(tx: Transaction, name: HostName, values: dict[str, object]) -> None:
    """Change a host's row."""
    tx.execute(update(hosts).where(hosts.c.name == name).values(updated_at=tx.now, **values))
    _tell_txn(tx, "update", name)


def _tell_txn(tx: Transaction, what: str, name: HostName) -> None:
    """`service.create`, `.update` and `.delete` of the service on a host, as its row says."""
    if not tx.tells:
        return
    row = tx.execute(select(hosts).where(hosts.c.name == name)).first()
    if row is not None:
        told = payloads.service(
            name, row.service_uuid, enabled=row.enabled, reason=row.disabled_reason, forced_down=row.forced_down
        )
        note_txn(tx, f"service.{what}", f"nova-compute:{name}", told)


def host_force_down_txn(tx: Transaction, name: HostName, down: bool) -> None:
    """Declare a host down, or take that back: it has to settle then, like every host that comes back."""
    was_down = tx.execute(select(hosts.c.forced_down).where(hosts.c.name == name)).scalar()
    values: dict[str, object] = {"forced_down": down}
    if was_down and not down:
        values["quarantined_at"] = tx.now
    host_change_txn(tx, name, values)


def host_known_txn(tx: Transaction, name: HostName) -> bool:
    """Whether there is such a host, and it was not deleted."""
    return tx.execute(select(hosts.c.name).where(hosts.c.name == name)).first() is not None


def host_check_idle_txn(tx: Transaction, name: HostName) -> None:
    """Raise `HostBusy` for a host with servers, or that servers have not moved away from, or to, for good."""
    at_work: int = tx.execute(_at_work, {"host": name}).scalar_one()
    count = server_counts_txn(tx).get(name, 0) + tx.execute(_moving, {"host": name}).scalar_one() + at_work
    if count:
        raise HostBusy(host=name, count=count)


def host_delete_txn(tx: Transaction, name: HostName) -> None:
    """Remove a host's row, and what is written down of it. Raises `HostBusy`."""
    host_check_idle_txn(tx, name)
    agent = tx.execute(select(hosts.c.agent).where(hosts.c.name == name)).scalar()
    if agent is not None:
        agents_of.agent_forgets_txn(tx, agent)
    _tell_txn(tx, "delete", name)
    tx.execute(delete(hosts).where(hosts.c.name == name))
    tx.execute(delete(tombstones).where(tombstones.c.host == name))


def server_counts_txn(tx: Transaction) -> dict[HostName, int]:
    """How many living servers each host has."""
    living = select(servers.c.host, func.count().label("servers")).where(
        servers.c.host.is_not(None), servers.c.deleted_at.is_(None)
    )
    return {HostName(row["host"]): row["servers"] for row in tx.execute(living.group_by(servers.c.host)).mappings()}


def usage_txn(tx: Transaction) -> dict[HostName, HostUsage]:
    """What living servers take of each host, by their flavors."""
    living = select(servers.c.host, servers.c.body).where(servers.c.host.is_not(None), servers.c.deleted_at.is_(None))
    found: dict[HostName, HostUsage] = {}
    for row in tx.execute(living):
        flavor = _decode_size(row.body).flavor
        there = found.get(row.host, HostUsage(servers=0, vcpus=0, memory_mb=0, disk_gb=0))
        found[row.host] = HostUsage(
            servers=there.servers + 1,
            vcpus=there.vcpus + flavor.vcpus,
            memory_mb=there.memory_mb + flavor.memory_mb,
            disk_gb=there.disk_gb + flavor.disk_gb + flavor.ephemeral_gb,
        )
    return found


def hosts_owing_txn(tx: Transaction) -> set[HostName]:
    """Hosts that owe the end of a guest, or came back and have not settled yet."""
    return {HostName(name) for query in (_owing, _in_quarantine) for name in tx.execute(query).scalars()}


def hosts_mapped_txn(tx: Transaction) -> dict[HostName, CellId]:
    """Hosts the API database knows, and the cell of each."""
    return {HostName(row.host): CellId(row.cell_id) for row in tx.execute(select(host_map))}


def hosts_map_txn(tx: Transaction, new: Sequence[Host]) -> None:
    """Add hosts to the map."""
    known = hosts_mapped_txn(tx)
    rows = [{"host": host.name, "cell_id": host.cell_id} for host in new if host.name not in known]
    if rows:
        tx.execute(insert(host_map), rows)


def _stamp_txn(tx: Transaction) -> tuple[tuple[int, float | None], dict[str, float]]:
    """What changes whenever a host's row does, and the last heartbeat of every agent."""
    count, updated_at = tuple(tx.execute(_stamp).one())
    return (count, updated_at), {row.name: row.heartbeat_at for row in tx.execute(_beats)}


def _new_host(
    tx: Transaction, agent: str, epoch: int, name: HostName, body: bytes, new_uuid: Callable[[], str]
) -> dict[str, object]:
    return {
        "name": name,
        "uuid": new_uuid(),
        "service_uuid": new_uuid(),
        "agent": agent,
        "epoch": epoch,
        "enabled": True,
        "disabled_reason": None,
        "forced_down": False,
        "created_at": tx.now,
        "updated_at": tx.now,
        "description": body,
    }
