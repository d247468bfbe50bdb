"""What operations share that give volumes to a server or take them away: reserve, connect, complete, release.

An attachment at the volume service is known by its server and its volume, so a lost answer is found again and nothing has to be
told apart by whoever made it. Where a host was lost that may use a volume, its attachment stays and the server shows it: nobody
else must write to the volume, and its owner can detach it.
"""

import string
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from kilonova.clients.volume import Volumes
from kilonova.database.database import Database
from kilonova.engine.progress import UNSURE
from kilonova.kernel.errors import Invalid, Unavailable
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import GuestVolume
from kilonova.objects.operation import Operation
from kilonova.objects.server import Server, VmState, Volume
from kilonova.objects.volume import Attachment
from kilonova.operations import store
from kilonova.operations.work import TakenOver, Work

FOUND = "volumes_found"
"""The output that has the attachment and connection of each volume that turned out to be attached, by its id."""
RESERVED_S = 10.0
"""How long an operation waits for the API to reserve its volume."""
FOREVER = 1_000_000
"""Attempts at what has no way back."""
ON_HOST = frozenset({VmState.ACTIVE, VmState.PAUSED, VmState.STOPPED, VmState.SHELVED})
"""States in which a guest is on its host, and changes there are kept."""


class VolumeRefused(Invalid):
    """Invalid volume: {reason}"""

    code = "volume-refused"


def device_after(server: Server) -> str:
    """The first name for a disk that no volume of the server has; the first of all is the root disk's."""
    taken = {volume.guest.device for volume in server.volumes}
    letters = string.ascii_lowercase[1:]
    names = (f"/dev/vd{first}{second}" for first in ("", *string.ascii_lowercase) for second in letters)
    return next(name for name in names if name not in taken)


def volume_find(server: Server, volume_id: str) -> Volume | None:
    """The server's volume with this id."""
    return next((volume for volume in server.volumes if volume.guest.volume_id == volume_id), None)


def has_volumes(operation: Operation) -> bool:
    """Whether the server has volumes, or is or was being given some (the param `volumes`)."""
    return bool(operation.params.get("volumes"))


def on_host(operation: Operation) -> bool:
    """Whether there is a guest to plug it into."""
    return operation.params.get("host") is not None


def attachments_shown(server: Server) -> frozenset[str]:
    """The ids of all attachments that the server, or what is kept of it where it came from, uses."""
    kept = () if server.move is None else server.move.old_volumes
    ids = {guest.attachment_id for guest in (*(volume.guest for volume in server.volumes), *kept)}
    return frozenset(ids - {""})


async def reserve(work: Work, volume_id: str) -> str:
    """Have the volume reserved for the server: the attachment's id. Raises what `Volumes.attachment_create` raises."""
    for there in await work.parts.volumes.attachments_of(work.operation.server_id):
        if there.volume_id == volume_id:
            return there.id
    return (await reserve_anew(work, volume_id)).id


async def reserve_anew(work: Work, volume_id: str, host: HostName | None = None) -> Attachment:
    """Have the volume reserved for the server once more, and connected to `host`. Raises like `reserve`.

    A worker that was taken over meanwhile ends what the server turns out not to use.
    """
    connector = None if host is None else await _connector(work, host)
    await work.check_lease()
    try:
        return await work.parts.volumes.attachment_create(volume_id, work.operation.server_id, connector)
    finally:
        await work.settle(partial(_settled, work, volume_id))


async def connect(work: Work, attachment_id: str, host: HostName) -> dict[str, Any]:
    """Connect an attachment to a host: the connection. Raises `NotFound`, `Conflict`."""
    connector = await _connector(work, host)
    await work.check_lease()
    return (await work.parts.volumes.attachment_connect(attachment_id, connector)).connection


async def _connector(work: Work, host: HostName) -> dict[str, Any]:
    """What the volume service is told of a host."""
    return {"host": host, **(await work.parts.hosts.get(host)).description.connector}


async def release(work: Work, volume_id: str | None = None) -> None:
    """End the server's attachments of one volume, or of all."""
    volumes = work.parts.volumes
    for there in await volumes.attachments_of(work.operation.server_id):
        if volume_id in {None, there.volume_id}:
            await work.check_lease()
            await volumes.attachment_delete(there.id)


async def keep_only(work: Work, kept: frozenset[str]) -> None:
    """End the server's attachments but those with the ids `kept`.

    No worker of a later time is robbed by this: what it makes is not there yet when this one, whose lease is checked after
    looking, looks.
    """
    volumes = work.parts.volumes
    for there in await volumes.attachments_of(work.operation.server_id):
        if there.id not in kept:
            await work.check_lease()
            await volumes.attachment_delete(there.id)


async def settle(work: Work) -> dict[str, Any]:
    """After an interruption: of each volume keep one attachment, the one that the server shows if it is there.

    Where the server is on a host, one that it doesn't show and that was never connected is of no use, and ends. Leaves the
    output `volumes_found`, for `as_found`.
    """
    server = await work.server()
    own = {volume.guest.attachment_id for volume in server.volumes}
    found: dict[str, dict[str, Any]] = {}
    for there in sorted(await work.parts.volumes.attachments_of(server.id), key=lambda one: one.id not in own):
        if there.id in own or there.connection or server.host is None:
            found.setdefault(there.volume_id, {"attachment_id": there.id, "connection": there.connection})
    await keep_only(work, frozenset(one["attachment_id"] for one in found.values()))
    return {FOUND: found}


def as_found(server: Server, outputs: Mapping[str, Any]) -> Server:
    """The server with the volumes that are attached to it; one on a host does not show any that never was attached."""
    found: Mapping[str, Mapping[str, Any]] = outputs.get(FOUND, {})
    if FOUND in outputs and server.host is not None:
        known = [one for one in server.volumes if one.guest.attachment_id or one.guest.volume_id in found]
        server = msgspec.structs.replace(server, volumes=tuple(known))
    for volume_id, attached in found.items():
        volume = volume_find(server, volume_id) or Volume(guest=new_volume(volume_id, device_after(server)))
        server = with_volume(server, connected(volume, attached))
    return server


async def take_back(work: Work, volume_id: str) -> None:
    """Undo `reserve`, unless the volume may be in use."""
    if not work.operation.outputs.get(UNSURE):
        await release(work, volume_id)


def connected(volume: Volume, outputs: Mapping[str, Any]) -> Volume:
    """The volume with what steps have found out: `attachment_id` and `connection`."""
    guest = msgspec.structs.replace(
        volume.guest,
        attachment_id=outputs.get("attachment_id", volume.guest.attachment_id),
        connection=outputs.get("connection", volume.guest.connection),
    )
    return msgspec.structs.replace(volume, guest=guest)


def with_volume(server: Server, volume: Volume) -> Server:
    """The server with `volume`, in the place of what it had of that volume."""
    others = tuple(one for one in server.volumes if one.guest.volume_id != volume.guest.volume_id)
    if len(others) == len(server.volumes):
        return msgspec.structs.replace(server, volumes=(*others, volume))
    known = volume.guest.volume_id
    replaced = tuple(volume if one.guest.volume_id == known else one for one in server.volumes)
    return msgspec.structs.replace(server, volumes=replaced)


def without_volume(server: Server, volume_id: str) -> Server:
    """The server without a volume."""
    return msgspec.structs.replace(
        server, volumes=tuple(one for one in server.volumes if one.guest.volume_id != volume_id)
    )


def unattached(server: Server) -> Server:
    """The server with its volumes, and none of them attached."""
    nothing = {"attachment_id": "", "connection": {}}
    return msgspec.structs.replace(server, volumes=tuple(connected(volume, nothing) for volume in server.volumes))


def new_volume(volume_id: str, device: str) -> GuestVolume:
    """A volume that is yet to be reserved."""
    return GuestVolume(volume_id=volume_id, attachment_id="", connection={}, device=device)


async def _settled(work: Work, volume_id: str) -> bool:
    """Whether this worker need not care: it has the operation still, or has ended what the server doesn't use."""
    try:
        await work.check_lease()
    except TakenOver:
        return await unused_ended(work.parts.volumes, work.database, work.operation.server_id, volume_id)
    except Unavailable:
        return False
    return True


async def unused_ended(volumes: Volumes, database: Database, server_id: ServerId, volume_id: str) -> bool:
    """End attachments of a volume that the server doesn't show; False while something is done to it, or nobody answers."""
    try:
        server = await database.read(store.server_find_txn, server_id)
        if server is not None and server.current_op is not None:
            return False
        shown = frozenset() if server is None else attachments_shown(server)
        for there in await volumes.attachments_of(server_id):
            if there.volume_id == volume_id and there.id not in shown:
                await volumes.attachment_delete(there.id)
    except Unavailable:
        return False
    return True
