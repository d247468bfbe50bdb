"""Whether the cloud kept its promises: what is lost, stuck, leaked or orphaned, sentence by sentence."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from kilonova.kernel.ids import ServerId
from kilonova.simulation.history import Promise, Told
from tools.chaos.actions import ACTIONS, Furnished
from tools.chaos.guests import GuestThere
from tools.chaos.record import Record
from tools.chaos.shown import Cloud, Shown, cards_of, operations_of
from tools.up_cloud import UpCloud


class Wrong(StrEnum):
    """What can be wrong, as the report names it."""

    LOST = "lost accepted requests"
    STUCK = "stuck servers"
    ALLOCATION = "leaked allocations"
    PORT = "leaked ports"
    GUEST = "orphan guests"
    IMAGE = "half-made images"
    LEDGER = "wrong quota"
    ANSWER = "wrong answers"


Findings = Iterator[tuple[Wrong, str]]
AT_REST = frozenset(
    {"ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "RESCUE", "SHELVED_OFFLOADED", "VERIFY_RESIZE", "ERROR"}
)
RUNS = {"ACTIVE": True, "PAUSED": True, "RESCUE": True, "SHUTOFF": False, "SUSPENDED": False}
"""Whether a server's guest has power; the other statuses may go with either."""
BOOT = "boot"
"""What a create is called among accepted requests."""
WITHOUT_GUEST = frozenset({"SHELVED_OFFLOADED", "ERROR"})
"""Statuses of servers that need not have a guest."""


def unfinished(cloud: Cloud) -> list[str]:
    """What somebody still has to work on; empty when all is final."""
    waits = [f"{it['kind']} {it['id']} of {it['server_id']} is {it['state']}" for it in cloud.operations]
    for server in cloud.servers.values():
        task = server["OS-EXT-STS:task_state"]
        if task is not None or server["status"] not in AT_REST:
            waits.append(f"server {server['id']} is {server['status']} ({task})")
    if owed := cloud.measures["kilonova_tombstones"]:
        waits.append(f"{owed:g} guests have yet to be ended")
    return waits


def judged(cloud: Cloud, guests: Iterable[GuestThere], made: Furnished) -> Findings:
    """What is wrong with a cloud at rest."""
    for what in unfinished(cloud):
        yield Wrong.STUCK, what
    yield from _allocations(cloud)
    yield from _ports(cloud)
    yield from _guests(cloud, list(guests))
    for image in cloud.images:
        if image["status"] != "active":
            yield Wrong.IMAGE, f"image {image['name']} ({image['id']}) is {image['status']}"
    yield from _ledger(cloud, made)
    if found := cloud.measures["kilonova_auditor_findings"]:
        yield Wrong.ALLOCATION, f"the auditor has found {found:g} things without an owner"


def kept(up: UpCloud, cloud: Cloud, record: Record) -> Findings:
    """What clients were promised and don't see."""
    names = {server["name"]: server for server in cloud.servers.values()}
    for promise in record.history.promises.values():
        yield from _promise(promise, names.get(promise.server_id), record)
    for name in names.keys() - {str(name) for name in record.history.promises}:
        yield Wrong.ANSWER, f"nobody asked for the server {name}"
    yield from ((Wrong.ANSWER, what) for what in record.wrong)
    odd: list[str] = []
    record.history.check(odd.append)
    yield from ((Wrong.ANSWER, what) for what in odd)
    yield from _requests(up, cloud, record)


def _promise(promise: Promise, server: Shown | None, record: Record) -> Findings:
    name, known = promise.server_id, promise.server_id in record.ids
    if promise.boot is Told.REFUSED and server is not None:
        yield Wrong.ANSWER, f"server {name} was refused and is there"
    if promise.surely_there and server is None:
        yield Wrong.LOST, f"server {name} was accepted, nobody deleted it, and it is gone"
    if promise.surely_deleted and server is not None:
        yield Wrong.LOST, f"server {name} was deleted and is {server['status']}"
    if promise.boot is Told.ACCEPTED and not known:
        yield Wrong.LOST, f"server {name} was accepted without an id"


def _requests(up: UpCloud, cloud: Cloud, record: Record) -> Findings:
    """Every accepted action has an operation, and what the last one was to do is done."""
    wanted: dict[str, dict[str, str]] = {}
    for accepted in record.accepted:
        if accepted.name in record.ids:
            wanted.setdefault(accepted.name, {})[accepted.request_id] = accepted.action
    with up.client() as admin:
        for name, requests in wanted.items():
            server_id = record.ids[name]
            operations = operations_of(admin, server_id)
            there = {operation["request_id"] for operation in operations}
            for request_id in requests.keys() - there:
                if requests[request_id] == BOOT and record.history.promises[ServerId(name)].delete is not None:
                    continue  # it was deleted before it had a cell
                yield Wrong.LOST, f"no operation came of the {requests[request_id]} of {name} ({request_id})"
            server = cloud.servers.get(server_id)
            if server is not None:
                yield from _effect(server, [it for it in operations if it["state"] == "done"])
                shown, there = cards_of(admin, server_id), _ports_of(cloud, server_id)
                if server["status"] not in WITHOUT_GUEST and shown != there:
                    yield Wrong.PORT, f"server {name} shows the ports {sorted(shown)} and has {sorted(there)}"


def _effect(server: Shown, done: list[Shown]) -> Findings:
    last = ACTIONS.get(done[-1]["kind"]) if done else None
    if last is not None and last.ends_in is not None and server["status"] not in {last.ends_in, "ERROR"}:
        told = f"server {server['name']} is {server['status']}, and the last thing done was {done[-1]['kind']}"
        yield Wrong.LOST, told


def _allocations(cloud: Cloud) -> Findings:
    moves = {it["uuid"]: it for it in cloud.migrations}
    for (consumer, host), held in cloud.allocations.items():
        server = cloud.servers.get(consumer)
        move = moves.get(consumer)
        moving = cloud.servers.get(move["instance_uuid"]) if move is not None else None
        if server is None and (moving is None or moving["status"] != "VERIFY_RESIZE"):
            yield Wrong.ALLOCATION, f"consumer {consumer} holds {held} on {host} and is no living server"
        if server is not None and server["OS-EXT-SRV-ATTR:host"] != host:
            yield Wrong.ALLOCATION, f"server {consumer} on {server['OS-EXT-SRV-ATTR:host']} holds {held} on {host}"
    for server in cloud.servers.values():
        held = cloud.allocations.get((server["id"], server["OS-EXT-SRV-ATTR:host"]), {})
        if not held and server["status"] not in WITHOUT_GUEST:
            yield Wrong.ALLOCATION, f"server {server['id']} ({server['status']}) holds nothing"
        if held and server["status"] != "VERIFY_RESIZE" and held != _size(server):
            yield Wrong.ALLOCATION, f"server {server['id']} holds {held}, not its flavor {_size(server)}"


def _size(server: Shown) -> Mapping[str, int]:
    flavor = server["flavor"]
    return {"VCPU": flavor["vcpus"], "MEMORY_MB": flavor["ram"], "DISK_GB": flavor["disk"]}


def _ports(cloud: Cloud) -> Findings:
    for port in cloud.ports:
        if port["device_id"] not in cloud.servers:
            yield Wrong.PORT, f"port {port['id']} belongs to {port['device_id'] or 'nobody'}, which is no living server"


def _ports_of(cloud: Cloud, server_id: str) -> set[str]:
    return {port["id"] for port in cloud.ports if port["device_id"] == server_id}


def _guests(cloud: Cloud, guests: list[GuestThere]) -> Findings:
    sources = {(it["instance_uuid"], it["source_compute"]) for it in cloud.migrations if _waits(it)}
    running: dict[str, int] = {}
    for guest in guests:
        running[guest.server_id] = running.get(guest.server_id, 0) + guest.runs
        server = cloud.servers.get(guest.server_id)
        if server is None:
            yield Wrong.GUEST, f"guest {guest.server_id} on {guest.host} belongs to no living server"
            continue
        moving = server["status"] == "VERIFY_RESIZE" and (server["id"], guest.host) in sources
        if guest.host not in {None, server["OS-EXT-SRV-ATTR:host"]} and not moving:
            yield Wrong.GUEST, f"guest {guest.server_id} is on {guest.host}, not on {server['OS-EXT-SRV-ATTR:host']}"
        extra = set() if guest.cards is None or moving else guest.cards - _ports_of(cloud, guest.server_id)
        if extra and server["status"] != "VERIFY_RESIZE":
            yield Wrong.GUEST, f"guest {guest.server_id} has cards of the ports {sorted(extra)}, which it doesn't own"
    for server in cloud.servers.values():
        runs = running.get(server["id"], 0)
        if runs > 1:
            yield Wrong.GUEST, f"server {server['id']} runs {runs} times"
        wanted = RUNS.get(server["status"])
        if wanted is not None and bool(runs) is not wanted:
            yield Wrong.LOST, f"server {server['id']} is {server['status']} and runs {runs} times"


def _waits(migration: Shown) -> bool:
    """Whether it waits to be confirmed."""
    return bool(migration["status"] == "finished")


def _ledger(cloud: Cloud, made: Furnished) -> Findings:
    counted = {"instances": len(cloud.servers), "cores": 0, "ram": 0}
    resized = {it["instance_uuid"] for it in cloud.migrations if it["migration_type"] == "resize" and _waits(it)}
    for server in cloud.servers.values():
        counted["cores"] += server["flavor"]["vcpus"]
        counted["ram"] += made.most_ram if server["id"] in resized else server["flavor"]["ram"]
    if counted != cloud.quota:
        yield Wrong.LEDGER, f"the quota says {dict(cloud.quota)} are used, the servers are {counted}"
