"""The auditor: looks for what was made for servers and has no owner any more, says so, and takes it away in the end.

Guests are only told of here: agents note those that no record knows, and end them where the configuration says so.

Every step of an operation is undone or finished by somebody, so there should be nothing to find. What remains possible is a
worker that outlives its lease and dies between making something and taking it back.

Design notes. What is there is read first, who owns it next, whether it is still there last: whatever ends properly gives its
things back before its owner is gone, so an orphan that outlasts these three looks has none. A cell that doesn't answer may hold
any owner, so nothing is found then. Foreign consumers and ports are left alone: ours are known by their ids or description.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from kilonova.cells import server_map
from kilonova.database.database import Transaction
from kilonova.engine import store as operation_store
from kilonova.kernel.errors import KilonovaError
from kilonova.kernel.ids import ServerId
from kilonova.network import ports
from kilonova.operations import findings, store
from kilonova.operations.findings import Finding, Orphan
from kilonova.operations.sightings import unknown_all_txn
from kilonova.operations.work import Parts
from kilonova.placement.shapes import Stale

log = logging.getLogger(__name__)

PAGE = 500


@dataclass(frozen=True)
class AuditPace:
    """How often the auditor looks, and how long it leaves an orphan alone."""

    every_s: float = 600.0
    remove_after_s: float = 24 * 3600.0
    """No shorter than the longest deadline in a cell, so that nobody who could still own it is left."""


class Auditor:
    """Audits placement's consumers and the ports of the network service. Any number may run beside each other."""

    def __init__(self, parts: Parts, pace: AuditPace | None = None) -> None:
        """Work with the parts of this process."""
        self._parts = parts
        self._pace = pace or AuditPace()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._parts.runtime.sleep(self._pace.every_s)
            try:
                await self.look()
            except KilonovaError as error:
                log.warning("nothing can be audited now: %s", error.message)

    async def look(self) -> Sequence[Finding]:
        """Audit everything once, and remove what was found long enough ago; what is there now."""
        orphans = [*await self.consumers(), *await self._ports(), *await self._guests()]
        seen = await self._parts.database.write(findings.findings_merge_txn, orphans)
        for orphan in seen.new:
            log.error("%s %s, made for server %s, has no owner", orphan.kind, orphan.id, orphan.server_id)
        for finding in seen.there:
            if finding.orphan.kind != "guest" and finding.found_at <= seen.at - self._pace.remove_after_s:
                await self._remove(finding.orphan)
        return seen.there

    async def consumers(self) -> list[Orphan]:
        """Consumers of ours in placement that hold something and have no owner. Raises `Unavailable`."""
        orphans: list[Orphan] = []
        marker = ""
        while page := await self._parts.placement.consumers(marker, PAGE):
            marker = page[-1].uuid
            owners = await self._owners({consumer.uuid for consumer in page})
            orphans += [
                Orphan(kind="consumer", id=id_, server_id=owners.servers[id_])
                for id_ in owners.unowned
                if await self._parts.placement.allocations_of(id_)
            ]
        return orphans

    async def _ports(self) -> list[Orphan]:
        """Ports that were made for servers and have no owner."""
        orphans: list[Orphan] = []
        marker = ""
        while page := await self._parts.networks.ports_page(marker, PAGE):
            marker = page[-1].id
            made_for = {port.id: server_id for port in page if (server_id := ports.server_of(port)) is not None}
            owners = await self._owners(set(made_for.values()))
            for port_id, server_id in made_for.items():
                if not owners.owns_port(server_id, port_id) and await self._is_there(server_id, port_id):
                    orphans.append(Orphan(kind="port", id=port_id, server_id=server_id))
        return orphans

    async def _guests(self) -> list[Orphan]:
        """Guests that no record knows, as agents have noted them. What becomes of them is the agents' hosts' business."""
        found: dict[ServerId, Orphan] = {}
        for cell in self._parts.cells.with_hosts:
            for guest in await cell.database.scan(unknown_all_txn):
                found[guest.server_id] = Orphan(kind="guest", id=guest.server_id, server_id=guest.server_id)
        return list(found.values())

    async def _is_there(self, server_id: ServerId, port_id: str) -> bool:
        return any(port.id == port_id for port in await self._parts.networks.ports_of(server_id))

    async def _remove(self, orphan: Orphan) -> None:
        """Take an orphan away, if it still is one. A consumer's generation is what it had before its owner was looked for."""
        if orphan.kind == "port":
            server_id = orphan.server_id
            assert server_id is not None, "a port's description names its server"
            if (await self._owners({server_id})).owns_port(server_id, orphan.id):
                return
            await self._parts.networks.port_delete(orphan.id)
        else:
            generation = await self._parts.placement.consumer_generation(orphan.id)
            if not (await self._owners({orphan.id})).unowned:
                return
            if isinstance(await self._parts.placement.release(orphan.id, generation), Stale):
                return
        await self._parts.database.write(findings.finding_removed_txn, orphan)
        log.warning("%s %s, made for server %s, was removed", orphan.kind, orphan.id, orphan.server_id)

    async def _owners(self, ids: Collection[str]) -> "_Owners":
        """Who owns what has one of `ids`: the API database first, the cells after, as servers move. Raises `Unavailable`."""
        owners = _Owners(ids)
        owners.add(await self._parts.database.scan(_known_txn, ids, in_api=True))
        for cell in self._parts.cells.all:
            owners.add(await cell.database.scan(_known_txn, ids, in_api=False))
        return owners


class _Move(msgspec.Struct):
    operation_id: str


class _Body(msgspec.Struct):
    """The part of a server's body that says what it owns."""

    nics: tuple["_Nic", ...] = ()
    move: _Move | None = None
    current_op: str | None = None


class _Nic(msgspec.Struct):
    port_id: str


@dataclass(frozen=True)
class _Known:
    """What one database says of some ids."""

    servers: dict[str, ServerId]
    """By id of a server or operation that was ever known here, the server."""
    busy: frozenset[str]
    """Ids of servers with a live operation, and of all their operations."""
    living: dict[str, frozenset[str] | None]
    """Ids that living servers own, and the ports they show; None where this database can't say."""


class _Owners:
    """What all databases together say of some ids."""

    def __init__(self, ids: Collection[str]) -> None:
        self._ids = ids
        self.servers: dict[str, ServerId] = {}
        self._busy: set[str] = set()
        self._ports: dict[str, frozenset[str] | None] = {}

    def add(self, known: _Known) -> None:
        self.servers.update(known.servers)
        self._busy |= known.busy
        self._ports.update(known.living)

    @property
    def unowned(self) -> list[str]:
        """Those that were ours, and that nobody owns now."""
        return sorted(
            id_ for id_ in self._ids if id_ in self.servers and id_ not in self._busy and id_ not in self._ports
        )

    def owns_port(self, server_id: ServerId, port_id: str) -> bool:
        """Whether a port has an owner: a server that is being worked on, or a living one that shows it."""
        if server_id in self._busy:
            return True
        shown = self._ports.get(server_id, frozenset())
        return shown is None or port_id in shown


def _known_txn(tx: Transaction, ids: Collection[str], *, in_api: bool) -> _Known:
    operations = operation_store.operations_about_txn(tx, ids)
    servers: dict[str, ServerId] = {operation.id: operation.server_id for operation in operations}
    busy: set[str] = {id_ for operation in operations if operation.live for id_ in (operation.id, operation.server_id)}
    living: dict[str, frozenset[str] | None] = {}
    if in_api:
        for server_id, deleted in server_map.servers_known_txn(tx, ids).items():
            servers[server_id] = server_id
            if not deleted:
                living[server_id] = None
    wanted = {*ids, *servers.values()}
    for server_id, body in store.bodies_living_txn(tx, wanted).items():
        told = msgspec.json.decode(body, type=_Body)
        living[server_id] = frozenset(nic.port_id for nic in told.nics)
        if told.move is not None:
            living[told.move.operation_id] = None
        if told.current_op is not None:  # it may have inherited what an operation that it superseded has left
            busy |= {id_ for id_, whose in servers.items() if whose == server_id}
    return _Known(servers, frozenset(busy), living)
