"""Placing a server that is on no host: a claim for the server itself, on a host of its own cell."""

import msgspec

from kilonova.cells.server_map import mapping_find_txn
from kilonova.engine.plan import Outputs
from kilonova.engine.progress import FAILED_ON
from kilonova.engine.runner import TooEarly
from kilonova.kernel.ids import HostName
from kilonova.operations import portions
from kilonova.operations.moving import NowhereToGo
from kilonova.operations.work import Work
from kilonova.placement.shapes import Stale
from kilonova.scheduler.decide import NoValidHost
from kilonova.scheduler.service import Owner


async def place(work: Work) -> Outputs:
    """Choose a host and claim it.

    Params: `to_host` and `to_zone`, where one was asked for; `unpin` takes the server's own zone off it.

    Leaves `dest` and `zone`. Raises `NowhereToGo` when no host may have it.
    """
    params, parts = work.operation.params, work.parts
    generation = await parts.placement.consumer_generation(work.operation.server_id)
    server = await work.server()
    pinned = params.get("to_zone") or (None if params.get("unpin") else server.pinned_availability_zone)
    wanted = msgspec.structs.replace(server, requested_host=None, pinned_availability_zone=pinned)
    request, hosts = await parts.snapshots.take(wanted)
    mapping = await parts.database.read(mapping_find_txn, server.id)
    assert mapping is not None, "every server is in the map"
    request = msgspec.structs.replace(
        request,
        host=params.get("to_host"),
        cell=mapping.cell_id,
        ignored=frozenset(HostName(name) for name in work.operation.outputs.get(FAILED_ON, ())),
    )
    owner = Owner(consumer=server.id, generation=generation, project_id=server.project_id, user_id=server.user_id)
    answer = await parts.scheduler.place(request, hosts, owner)
    if isinstance(answer, Stale):
        raise TooEarly(0.0, "another worker has just changed what the server holds")
    if isinstance(answer, NoValidHost):
        raise NowhereToGo(reason=answer.message, for_operators=answer.details)
    return {"dest": answer.host.name, "zone": answer.host.zone, **portions.told(answer.portion)}


async def give_back(work: Work) -> None:
    """Undo the claim, and make sure that no claim of an earlier worker can come after."""
    await work.release_claim()
