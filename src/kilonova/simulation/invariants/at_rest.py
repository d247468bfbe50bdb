"""What holds when the faults are over and everything has finished: nothing is stuck, nothing leaked, promises were kept."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from kilonova.kernel.ids import CELL0, CellId, HostName, ServerId
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import PowerState
from kilonova.objects.server import Server, VmState
from kilonova.simulation.bus import Broker
from kilonova.simulation.database import DatabaseServer
from kilonova.simulation.doubles.images import ImageService
from kilonova.simulation.doubles.networks import NetworkService
from kilonova.simulation.doubles.volumes import VolumeService
from kilonova.simulation.history import History, Promise, Told
from kilonova.simulation.hypervisor import Hypervisor
from kilonova.simulation.hypervisor.hardware import NO_MARK
from kilonova.simulation.invariants import notices, volumes
from kilonova.simulation.roles import Role
from kilonova.simulation.runtime import STARTED_AT

Report = Callable[[str], None]

_LIVE_OPERATIONS = "SELECT kind || ' ' || id || ' of ' || server_id || ' at ' || step FROM operations WHERE live = 1"
_NEED_GUESTS = """
    SELECT host, id FROM servers WHERE deleted_at IS NULL AND host IS NOT NULL AND current_op IS NULL
    AND vm_state IN ('active', 'stopped', 'paused', 'suspended', 'rescued') ORDER BY id"""
# Every secret of the workload has this word in it.
_KEPT_SECRETS = {
    "operation": """
        SELECT id FROM operations
        WHERE live IS NULL AND instr(CAST(params AS TEXT) || CAST(outputs AS TEXT) || coalesce(error, ''), 'canary')""",
    "a line of the log of": "SELECT operation_id FROM operation_events WHERE instr(message, 'canary')",
    "server": "SELECT id FROM servers WHERE instr(CAST(body AS TEXT), 'canary')",
}
_FENCES = """
    SELECT server_id, json_extract(params, '$.fence_until') FROM operations WHERE kind = 'delete' AND state = 'done'"""
TASKS_MAX = 40
"""Of one process at rest: its loops, and not one for each thing that it ever did."""
LISTENERS_MAX = 20
"""Of one process at rest."""
_MADE = frozenset(VmState) - {VmState.BUILDING, VmState.SHELVED_OFFLOADED, VmState.ERROR, VmState.DELETED}
"""States of a server that has its guest, ports and allocation."""
_OFF = frozenset(
    {
        VmState.STOPPED,
        VmState.SUSPENDED,
        VmState.SHELVED,
        VmState.SHELVED_OFFLOADED,
        VmState.SOFT_DELETED,
    }
)


@dataclass(frozen=True)
class Durable:
    """Everything that outlives the processes of a cloud."""

    api: DatabaseServer
    placement: DatabaseServer
    cells: Mapping[CellId, DatabaseServer]
    hypervisor: Hypervisor
    networks: NetworkService
    images: ImageService
    volumes: VolumeService

    @property
    def databases(self) -> list[DatabaseServer]:
        """Every database."""
        return [self.api, self.placement, *self.cells.values()]


def unfinished(durable: Durable) -> list[str]:
    """What somebody still has to work on; empty at rest."""
    lost = durable.hypervisor.lost
    waiting = [f"{row[0]} is live" for row in durable.api.rows(_LIVE_OPERATIONS)]
    for database in durable.cells.values():
        waiting += [f"{row[0]} is live" for row in database.rows(_LIVE_OPERATIONS)]
        waiting += [f"server {id_} misses its guest on {host}" for host, id_ in _missing(durable, database)]
        waiting += [f"settlement of {row[0]} is open" for row in database.rows("SELECT server_id FROM settlements")]
        waiting += [f"tombstone of {id_} on {host} is open" for host, id_ in owed(durable) if host not in lost]
    return waiting


def owed(durable: Durable) -> list[tuple[HostName, ServerId]]:
    """The guests that hosts have to end."""
    query = "SELECT host, server_id FROM tombstones"
    return [(host, server_id) for database in durable.cells.values() for host, server_id in database.rows(query)]


def _missing(durable: Durable, database: DatabaseServer) -> list[tuple[HostName, ServerId]]:
    """Servers that say nothing of it that their guests are gone."""
    there = {(host, server_id) for host, server_id, _ in durable.hypervisor.everything()}
    return [
        (host, server_id)
        for host, server_id in database.rows(_NEED_GUESTS)
        if (host, server_id) not in there and host not in durable.hypervisor.lost
    ]


def check(durable: Durable, history: History, report: Report) -> None:
    """Report everything that doesn't hold."""
    servers = _Servers(durable)
    _check_promises(history, servers, report)
    _check_allocations(durable, servers, report)
    _check_guests(durable, servers, report)
    _check_planted(durable, report)
    _check_ports(durable, servers, report)
    _check_sizes(durable, servers, report)
    _check_cards(durable, servers, report)
    volumes.check(_used(durable, servers), report)
    _check_ledger(durable, servers, report)
    _check_map(durable, servers, report)
    _check_records(durable, report)
    _check_images(durable, servers, report)
    _check_groups(servers, report)
    _check_secrets(durable, report)
    _check_findings(durable, report)
    notices.check(durable.api, durable.cells, report)


def _used(durable: Durable, servers: "_Servers") -> volumes.Used:
    """What has to do with volumes."""
    undone = [row[0] for database in durable.cells.values() for row in database.rows(volumes.NOT_DONE)]
    guests = [
        (servers.living[server_id], guest)
        for host, server_id, guest in durable.hypervisor.everything()
        if server_id in servers.living and host == servers.living[server_id].host
    ]
    return volumes.Used(
        servers=list(servers.living.values()),
        guests=[(server, guest) for server, guest in guests if server.vm_state in _MADE],
        attachments=list(durable.volumes.attachments.values()),
        unsure=frozenset(ServerId(server_id) for server_id in undone),
    )


def check_bounds(roles: Iterable[Role], broker: Broker, report: Report) -> None:
    """Report every process in which work is left over, or ears for hints that nobody listens with any more."""
    for role in roles:
        tasks = role.process.tasks
        if len(tasks) > TASKS_MAX:
            report(
                f"{role.name} has {len(tasks)} tasks at rest: {', '.join(sorted(task.get_name() for task in tasks))}"
            )
        listeners = broker.listeners_of(role.process)
        if listeners > LISTENERS_MAX:
            report(f"{role.name} has {listeners} listeners at rest")


class _Servers:
    """All servers, by where they are."""

    def __init__(self, durable: Durable) -> None:
        self.living: dict[ServerId, Server] = {}
        self.deleted: set[ServerId] = set()
        self.cell_of: dict[ServerId, CellId] = {}
        self.host_uuid: dict[HostName, str] = {}
        for cell_id, database in durable.cells.items():
            self.host_uuid.update(database.rows("SELECT name, uuid FROM hosts"))
            for (body,) in database.rows("SELECT body FROM servers ORDER BY id"):
                server = msgspec.json.decode(body, type=Server)
                if server.vm_state is VmState.DELETED:
                    self.deleted.add(server.id)
                else:
                    self.living[server.id] = server
                    self.cell_of[server.id] = cell_id


def _check_promises(history: History, servers: _Servers, report: Report) -> None:
    batches: dict[int, set[bool]] = {}
    for promise in history.promises.values():
        known = promise.server_id in servers.living or promise.server_id in servers.deleted
        batches.setdefault(promise.batch, set()).add(known)
        _check_promise(promise, servers.living.get(promise.server_id), report, known=known)
    for batch, known_ones in batches.items():
        if len(known_ones) > 1:
            report(f"request {batch} was accepted in part")


def _check_promise(promise: Promise, living: Server | None, report: Report, *, known: bool) -> None:
    server_id = promise.server_id
    if promise.boot is Told.ACCEPTED and not known:
        report(f"accepted server {server_id} was lost")
    if promise.boot is Told.REFUSED and known:
        report(f"server {server_id} was refused and is there")
    if promise.surely_there and living is None:
        report(f"accepted server {server_id} is gone though nobody deleted it")
    if promise.surely_deleted and living is not None:
        report(f"deleted server {server_id} is there: {living.vm_state}/{living.task_state}")
    if living is not None and living.vm_state not in {*_MADE, VmState.SHELVED_OFFLOADED, VmState.ERROR}:
        report(f"server {server_id} stays in {living.vm_state}")


def _check_allocations(durable: Durable, servers: _Servers, report: Report) -> None:
    held: dict[str, dict[tuple[str, str], int]] = {}
    query = "SELECT consumer_uuid, provider_uuid, resource_class, used FROM allocations ORDER BY 1, 2, 3"
    for consumer, provider, resource_class, used in durable.placement.rows(query):
        held.setdefault(consumer, {})[provider, resource_class] = used
    moves = {server.move.operation_id: server for server in servers.living.values() if server.move is not None}
    for consumer, amounts in held.items():
        if consumer not in servers.living and consumer not in moves:
            report(f"consumer {consumer} holds {amounts} and is no living server")
    for move, server in moves.items():
        _check_move(server, held.get(move, {}), servers, report)
    for server in servers.living.values():
        _check_allocation(server, held.get(server.id, {}), servers, report)


def _check_move(server: Server, held: dict[tuple[str, str], int], servers: _Servers, report: Report) -> None:
    """A server that waits to be confirmed keeps what it had where it was."""
    move = server.move
    assert move is not None, "only servers that move are checked"
    if server.vm_state is not VmState.RESIZED:
        report(f"server {server.id} is {server.vm_state} and moves from {move.source} to {move.dest}")
    source, from_volume = servers.host_uuid[move.source], server.boots_from_volume
    kept = {} if move.dest == move.source else _amounts(source, move.old_flavor, boots_from_volume=from_volume)
    if held != kept:
        report(f"the move of server {server.id} holds {held}, not {kept}")


def _amounts(provider: str, *flavors: Flavor, boots_from_volume: bool) -> dict[tuple[str, str], int]:
    """What a server holds that may have any of `flavors`."""
    return {
        (provider, "VCPU"): max(one.vcpus for one in flavors),
        (provider, "MEMORY_MB"): max(one.memory_mb for one in flavors),
        **({} if boots_from_volume else {(provider, "DISK_GB"): max(one.disk_gb for one in flavors)}),
    }


def _check_allocation(server: Server, held: dict[tuple[str, str], int], servers: _Servers, report: Report) -> None:
    if not held:
        if server.vm_state in _MADE:
            report(f"server {server.id} ({server.vm_state}) on {server.host} holds nothing in placement")
        return
    provider = servers.host_uuid.get(server.host or HostName(""), "")
    flavors, move = [server.flavor], server.move
    if move is not None and move.dest == move.source:
        flavors.append(move.old_flavor)
    wanted = _amounts(provider, *flavors, boots_from_volume=server.boots_from_volume)
    if held != wanted:
        report(f"server {server.id} on {server.host} ({provider}) holds {held}, not its flavor {wanted}")


def _check_guests(durable: Durable, servers: _Servers, report: Report) -> None:
    running: Counter[ServerId] = Counter()
    debts = set(owed(durable))
    for host, server_id, guest in durable.hypervisor.everything():
        server = servers.living.get(server_id)
        running[server_id] += guest.power_state is PowerState.RUNNING
        if host in durable.hypervisor.lost and (host, server_id) in debts:
            continue
        if server_id in durable.hypervisor.planted:
            continue
        if server is None:
            report(f"guest {server_id} on {host} belongs to no living server")
        elif host not in {server.host, server.move.source if server.move is not None else None}:
            report(f"guest {server_id} is on {host}, its server on {server.host}")
    for server in servers.living.values():
        if running[server.id] > 1:
            report(f"server {server.id} runs {running[server.id]} times")
        if server.host in durable.hypervisor.lost:
            continue  # nobody can tell
        if server.vm_state is VmState.ACTIVE and running[server.id] != 1:
            report(f"server {server.id} is ACTIVE and runs {running[server.id]} times")
        if server.vm_state in _OFF and running[server.id]:
            report(f"server {server.id} is {server.vm_state} and runs")
        if (server.vm_state is VmState.SHELVED_OFFLOADED) and (server.host is not None or server.shelved is None):
            report(f"server {server.id} is offloaded from {server.host} and was shelved as {server.shelved}")


def _check_planted(durable: Durable, report: Report) -> None:
    """Of the guests that no record knows, those with their cell's mark are gone, and the others are as they were, and noted."""
    hypervisor = durable.hypervisor
    there = {server_id: host for host, server_id, _ in hypervisor.everything()}
    noted = {id_ for cell in durable.cells.values() for (id_,) in cell.rows("SELECT server_id FROM unknown_guests")}
    for server_id, mark in hypervisor.planted.items():
        host = there.get(server_id)
        if host in hypervisor.lost:
            continue
        if mark != NO_MARK and host is not None:
            report(f"guest {server_id} on {host}, which no record knows, was not ended")
        if mark == NO_MARK and host is None:
            report(f"guest {server_id} was ended, which was not made for its cell")
        if (server_id in noted) != (host is not None):
            report(f"guest {server_id} on {host}, which no record knows, is {'' if host else 'still '}noted wrongly")


def _check_findings(durable: Durable, report: Report) -> None:
    """The auditor is for ports of workers that were killed before they could take them back, and for nothing else.

    A delete waits for the lease of the worker that it interrupted: what was made before that ends, it has taken back itself.
    """
    fences: dict[str, float] = {}
    for database in durable.cells.values():
        fences.update(database.rows(_FENCES))
    for kind, id_ in durable.api.rows("SELECT kind, id FROM findings ORDER BY found_at"):
        maker = durable.networks.makers.get(id_)
        if kind == "guest" and id_ in durable.hypervisor.planted:
            continue
        if kind != "port" or maker is None or maker.alive:
            report(f"the auditor found the {kind} {id_}, which nobody owned")
            continue
        server_id, made_at = durable.networks.made_at[id_]
        if STARTED_AT + made_at < fences.get(server_id, 0.0):
            report(f"the auditor found the port {id_}, which the delete of {server_id} has overlooked")


def _check_sizes(durable: Durable, servers: _Servers, report: Report) -> None:
    """A guest has the size of its server's flavor: what it holds in placement is all that it may use."""
    for host, server_id, guest in durable.hypervisor.everything():
        server = servers.living.get(server_id)
        if server is None or host != server.host or server.vm_state not in _MADE:
            continue
        size, flavor = (guest.spec.vcpus, guest.spec.memory_mb), server.flavor
        if size != (flavor.vcpus, flavor.memory_mb):
            report(f"guest {server_id} on {host} has {size}, and its server the flavor {flavor.name}")


def _check_cards(durable: Durable, servers: _Servers, report: Report) -> None:
    """No guest has a card that its server doesn't show: it may be another's by now."""
    for host, server_id, guest in durable.hypervisor.everything():
        server = servers.living.get(server_id)
        if server is None or host != server.host or server.vm_state not in _MADE:
            continue
        for port_id in {nic.port_id for nic in guest.spec.nics} - {nic.port_id for nic in server.nics}:
            report(f"guest {server_id} has a card of port {port_id}, which its server doesn't show")


def _check_ports(durable: Durable, servers: _Servers, report: Report) -> None:
    there: dict[str, list[str]] = {}
    for port in durable.networks.ports.values():
        there.setdefault(port.device_id, []).append(port.id)
        owner = servers.living.get(ServerId(port.device_id))
        if owner is not None and port.host != (owner.host or ""):
            report(f"port {port.id} is bound to {port.host}, its server {owner.id} is on {owner.host}")
        given = not port.device_id and port.id not in durable.networks.makers
        if port.device_id not in servers.living and not given:
            report(f"port {port.id} belongs to {port.device_id or 'nobody'}, which is no living server")
    for server in servers.living.values():
        shown = sorted(nic.port_id for nic in server.nics)
        if server.vm_state in _MADE and shown != sorted(there.get(server.id, [])):
            report(f"server {server.id} shows the ports {shown} and has {there.get(server.id, [])}")


def _check_images(durable: Durable, servers: _Servers, report: Report) -> None:
    """No image is half made; what a server was shelved as is there as long as the server is shelved, and no longer."""
    shelved_as = {
        server.shelved.image.id: server.id for server in servers.living.values() if server.shelved is not None
    }
    for image in durable.images.images.values():
        if image.status != "active":
            report(f"image {image.id} of {image.properties} is {image.status}")
        elif image.properties.get("image_type") == "shelve" and image.id not in shelved_as:
            report(f"image {image.id} is of no shelved server")
    for image_id, server_id in shelved_as.items():
        if image_id not in durable.images.images:
            report(f"the image {image_id} of the shelved server {server_id} is gone")


def _check_ledger(durable: Durable, servers: _Servers, report: Report) -> None:
    ledger = {row[0]: row[1:] for row in durable.api.rows("SELECT server_id, cores, memory_mb FROM quota_ledger")}
    _same_ids("the quota ledger", ledger, servers.living, report)
    for server_id, line in ledger.items():
        server = servers.living.get(server_id)
        if server is None:
            continue
        flavors = [server.flavor] if server.move is None else [server.flavor, server.move.old_flavor]
        if line != (max(one.vcpus for one in flavors), max(one.memory_mb for one in flavors)):
            report(f"the quota ledger counts {line} for server {server_id} of flavor {server.flavor.name}")


def _check_map(durable: Durable, servers: _Servers, report: Report) -> None:
    rows = durable.api.rows("SELECT server_id, cell_id, deleted_at FROM server_map")
    living = {server_id: cell_id for server_id, cell_id, deleted_at in rows if deleted_at is None}
    _same_ids("the server map", living, servers.living, report)
    for server_id, cell_id in living.items():
        if servers.cell_of.get(server_id) != cell_id:
            report(f"the map says that server {server_id} is in {cell_id}; it is in {servers.cell_of.get(server_id)}")
    for (server_id,) in durable.api.rows("SELECT id FROM servers WHERE deleted_at IS NULL"):
        report(f"server {server_id} is still nowhere")


def _check_records(durable: Durable, report: Report) -> None:
    """Every operation has a log whose last line is its end; only servers in ERROR show a fault of their boot."""
    query = """SELECT o.kind, o.id, o.state, (SELECT result FROM operation_events e WHERE e.operation_id = o.id
               ORDER BY seq DESC LIMIT 1) FROM operations o"""
    ends = {"done": {"done", "failed"}, "failed": {"failed", "undone"}, "superseded": {"superseded"}}
    for cell_id, database in durable.cells.items():
        for kind, operation_id, state, last in database.rows(query):
            if last not in ends.get(state, set()):
                report(f"{kind} {operation_id} is {state} and its log ends with {last}")
        if cell_id == CELL0:
            continue
        for server_id, fault in database.rows("SELECT id, body FROM servers WHERE vm_state = 'error'"):
            if msgspec.json.decode(fault, type=Server).fault is None:
                report(f"server {server_id} is in ERROR and says no reason")


def _check_groups(servers: _Servers, report: Report) -> None:
    """Members of a group that must not share a host don't."""
    there: dict[tuple[str, HostName], list[ServerId]] = {}
    for server in servers.living.values():
        if server.group_id is not None and server.host is not None:
            there.setdefault((server.group_id, server.host), []).append(server.id)
    for (group_id, host), members in there.items():
        if len(members) > 1:
            report(f"{', '.join(members)} of {group_id} share {host}")


def _check_secrets(durable: Durable, report: Report) -> None:
    """No password and no injected file is kept anywhere once its boot has ended."""
    for database in (durable.api, *durable.cells.values()):
        for what, query in _KEPT_SECRETS.items():
            for (row,) in database.rows(query):
                report(f"a secret is kept in {what} {row} in the {database.name}")


def _same_ids(what: str, found: Iterable[str], wanted: Iterable[str], report: Report) -> None:
    for server_id in sorted(set(found) - set(wanted)):
        report(f"{what} has {server_id}, which is no living server")
    for server_id in sorted(set(wanted) - set(found)):
        report(f"{what} misses the living server {server_id}")
