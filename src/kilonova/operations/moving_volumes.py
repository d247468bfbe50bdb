"""Volumes of a server that moves: each gets a second attachment, for the other host, before the guest is made there.

The first one is ended when there is no way back any more, or the second one when the move is undone. So a volume is never without
an attachment, and nobody else can take it on the way. An attachment that the server does not show is an earlier attempt's; it is
ended and another one made, because who made it may be about to end it.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from kilonova.engine.plan import Outputs, Step
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.kernel.ids import HostName
from kilonova.objects.operation import Operation
from kilonova.objects.server import Server
from kilonova.operations import attaching
from kilonova.operations.work import Work

log = logging.getLogger(__name__)

CONNECTED = "volumes_connected"
"""The output that has the new attachment and connection of each volume, by its id."""
_TIMEOUT_S = 300.0


async def connect(work: Work) -> Outputs:
    """Attach each volume for the host that the server goes to (the output `dest`). Raises `NotFound`, `Conflict`."""
    server = await work.server()
    await attaching.keep_only(work, attaching.attachments_shown(server))
    dest = HostName(work.operation.outputs["dest"])
    found = {}
    for volume in server.volumes:
        made = await attaching.reserve_anew(work, volume.guest.volume_id, dest)
        await work.parts.volumes.attachment_complete(made.id)
        found[volume.guest.volume_id] = {"attachment_id": made.id, "connection": made.connection}
    return {CONNECTED: found}


async def disconnect(work: Work) -> None:
    """Undo `connect`: end the new attachments. Where the other host is lost, it is no longer served either."""
    await attaching.keep_only(work, attaching.attachments_shown(await work.server()))


async def leave(work: Work) -> Outputs:
    """End the attachments for the host that the server has left."""
    server = carried(await work.server(), work.operation.outputs)
    await attaching.keep_only(work, frozenset(volume.guest.attachment_id for volume in server.volumes))
    return {}


async def hold(work: Work) -> Outputs:
    """Reserve each volume for the server without any host. One that can't be had keeps the attachment that it has."""
    server = await work.server()
    await attaching.keep_only(work, attaching.attachments_shown(server))
    found = {}
    for volume in server.volumes:
        try:
            made = await attaching.reserve_anew(work, volume.guest.volume_id)
        except (Conflict, NotFound) as error:
            log.warning("%s", error.message)
        else:
            found[volume.guest.volume_id] = {"attachment_id": made.id, "connection": {}}
    return {CONNECTED: found}


def carried(server: Server, outputs: Mapping[str, Any]) -> Server:
    """The server with its volumes as they are reached after the move, if `outputs` say how."""
    found = outputs.get(CONNECTED, {})
    volumes = [attaching.connected(volume, found.get(volume.guest.volume_id, {})) for volume in server.volumes]
    return msgspec.structs.replace(server, volumes=tuple(volumes))


def carried_back(server: Server) -> Server:
    """The server with its volumes as the old guest reaches them."""
    assert server.move is not None, "what is taken back is a move"
    old = {
        guest.volume_id: {"attachment_id": guest.attachment_id, "connection": guest.connection}
        for guest in server.move.old_volumes
    }
    return carried(server, {CONNECTED: old})


def follow(operation: Operation) -> bool:
    """Whether there are volumes, and they have to be reached from another host."""
    return attaching.has_volumes(operation) and operation.outputs.get("dest") is not None


CONNECT: Step[Work] = Step(name="volumes", ensure=connect, undo=disconnect, when=follow, timeout_s=_TIMEOUT_S)
HOLD: Step[Work] = Step(
    name="volumes", ensure=hold, when=attaching.has_volumes, timeout_s=_TIMEOUT_S, retries=attaching.FOREVER
)
LEAVE: Step[Work] = Step(
    name="volumes_left", ensure=leave, when=follow, timeout_s=_TIMEOUT_S, retries=attaching.FOREVER
)
HELD: Step[Work] = replace(LEAVE, when=attaching.has_volumes)
"""After `HOLD`, as `LEAVE` after `CONNECT`."""
