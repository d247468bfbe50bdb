"""What operations share that move a server to another host, or to another size: the claim, its settlement, the ports.

While a server moves two consumers hold something for it in placement: the server's own what it is to have at its destination,
the move's, whose id is the operation's, what it has where it came from. Both change hands in one transaction each time. A server
that stays on its host and changes its size holds of each class the larger amount, and the move's consumer nothing.
"""

from functools import partial

import msgspec

from kilonova.engine.plan import Outputs
from kilonova.engine.progress import FAILED_ON
from kilonova.engine.runner import TooEarly
from kilonova.kernel.errors import Conflict, Unavailable
from kilonova.kernel.ids import HostName
from kilonova.network.ports import ports_move
from kilonova.objects.flavor import Flavor
from kilonova.objects.host import Host
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Move, Server, VmState
from kilonova.operations import moving_volumes, portions, store
from kilonova.operations.work import TakenOver, Work
from kilonova.placement.shapes import Claim, Crowded, Full, Stale
from kilonova.scheduler.decide import NoValidHost
from kilonova.scheduler.hosts import HostState
from kilonova.scheduler.request import ServerRequest
from kilonova.scheduler.service import MOVE, Leaving, Owner
from kilonova.scheduler.wishes import resources_of

NOWHERE = HostName("")
"""Where the ports of a server are bound that is on no host."""


class NowhereToGo(Conflict):
    """{reason}"""

    code = "nowhere-to-go"


class CannotGoBack(Conflict):
    """What server {server_id} had on {host} can't be claimed again: {reason}"""

    code = "cannot-go-back"


def flavor_wanted(server: Server, operation: Operation) -> Flavor:
    """The flavor that the server is to have: the param `flavor` of a resize, else its own."""
    wanted = operation.params.get("flavor")
    return server.flavor if wanted is None else msgspec.convert(wanted, Flavor)


def was_active(operation: Operation) -> bool:
    """Whether the server ran when the operation was accepted."""
    return bool(operation.params["vm_state"] == VmState.ACTIVE)


async def claim(work: Work) -> Outputs:
    """Choose a host of the same cell and claim it, handing what the server has to the move's consumer.

    Params: `to` is the one host that was asked for, `may_stay` whether the server may stay where it is, `flavor` the new one.

    Leaves:
        `dest` or `here`: the other host, or the same one. `zone`: its zone. `shared`: whether both see the same disks. `portion`:
        what is claimed, where that is not just the flavor's size of the host's own provider.

    Raises:
        NowhereToGo: no host may have it.
        TooEarly: another worker acts for it.
    """
    operation, placement, params = work.operation, work.parts.placement, work.operation.params
    own = await placement.consumer_generation(operation.server_id)
    moves = await placement.consumer_generation(operation.id)
    server = await work.server()
    source = await work.parts.hosts.get(_host(server))
    failed = [HostName(name) for name in operation.outputs.get(FAILED_ON, ())]
    request, hosts = await _wishes(work, server, flavor_wanted(server, operation))
    request = msgspec.structs.replace(
        request, host=params.get("to"), cell=source.cell_id, ignored=frozenset({source.name, *failed})
    )
    here = next((host for host in hosts if host.name == source.name), None)
    leaving = Leaving(
        consumer=operation.id,
        generation=moves,
        host=here or out_of_use(source),
        resources=resources_of(server.flavor, boots_from_volume=server.boots_from_volume),
        portion=server.portion,
        may_stay=bool(params.get("may_stay")) and here is not None and source.name not in failed,
    )
    owner = Owner(consumer=server.id, generation=own, project_id=server.project_id, user_id=server.user_id)
    answer = await work.parts.scheduler.place(request, hosts, owner, leaving)
    if isinstance(answer, Stale):
        raise TooEarly(0.0, "another worker has just changed what the server holds")
    if isinstance(answer, NoValidHost):
        raise NowhereToGo(reason=answer.message, for_operators=answer.details)
    if answer.host.name == source.name:
        return {"here": source.name, "zone": answer.host.zone, **portions.told(answer.portion)}
    dest = await work.parts.hosts.get(answer.host.name)
    shared = dest.description.storage is not None and dest.description.storage == source.description.storage
    return {"dest": dest.name, "zone": answer.host.zone, "shared": shared, **portions.told(answer.portion)}


async def give_back(work: Work) -> None:
    """Undo the claim, and make sure that no claim of an earlier worker can come after."""
    server = await work.server()
    await hold(work, _host(server), server, work.operation.id)


async def hold(work: Work, host: HostName, as_: Server, move: str) -> None:
    """Let the server hold exactly what it has `as_` it is, was or will be, on `host`, and the consumer `move` nothing.

    A group whose members have to be together does not keep a server from going back: it leaves the group's set then.
    """
    placement = work.parts.placement
    own = await placement.consumer_generation(work.operation.server_id)
    moves = await placement.consumer_generation(move)
    server = await work.server()
    at = await work.parts.hosts.get(host)
    request, _ = await _wishes(work, server, as_.flavor)
    nothing = Claim(
        consumer=move,
        generation=moves,
        allocations={},
        project_id=server.project_id,
        user_id=server.user_id,
        consumer_type=MOVE,
    )
    whole = msgspec.structs.replace(
        nothing,
        consumer=server.id,
        generation=own,
        allocations=portions.held_on(as_, at.uuid),
        consumer_type="INSTANCE",
        spread=request.spread(at.uuid),
    )
    # The move's consumer first: it may keep the very place in the server's group that the server goes back to.
    answer = await placement.claim_together([nothing, whole])
    if isinstance(answer, Crowded):
        answer = await placement.claim_together([nothing, msgspec.structs.replace(whole, spread=None)])
    if isinstance(answer, Stale):
        raise TooEarly(0.0, "another worker has just changed what the server holds")
    if isinstance(answer, Full | Crowded):
        reason = answer.reason if isinstance(answer, Full) else "its server group forbids it"
        raise CannotGoBack(server_id=server.id, host=host, reason=reason)


async def rebind(work: Work, host: HostName, zone: str) -> None:
    """Bind the server's ports to `host`. A worker that was taken over meanwhile lets them follow the server again."""
    networks, server = work.parts.networks, await work.server()
    try:
        await ports_move(networks, server, host, zone)
    finally:
        await work.settle(partial(_followed, work))


async def _followed(work: Work) -> bool:
    """Whether this worker need not care: it has the operation still, or the ports are where the server rests."""
    try:
        await work.check_lease()
    except TakenOver:
        return await _repaired(work)
    except Unavailable:
        return False
    return True


async def _repaired(work: Work) -> bool:
    """Bind the ports to where the server is, once nothing is done to it; a deleted one has none."""
    try:
        server = await work.database.read(store.server_find_txn, work.operation.server_id)
        if server is None or server.vm_state is VmState.DELETED:
            return True
        if server.current_op is not None:
            return False
        await ports_move(work.parts.networks, server, server.host or NOWHERE, server.availability_zone or "")
        after = await work.database.read(store.server_find_txn, server.id)
    except Unavailable:
        return False
    return after is not None and (after.host, after.current_op) == (server.host, None)


async def zone_of(work: Work, host: HostName) -> str:
    """The availability zone of a host now."""
    return await work.parts.snapshots.zone(host)


def under_way(server: Server, operation: Operation, kind: str) -> Server:
    """The server as its row shows a move of `kind` that lives: `move` is there from the claim on, and gone when it failed."""
    outputs = operation.outputs
    dest = outputs.get("dest", outputs.get("here"))
    if operation.state is OperationState.FAILED or dest is None:
        return msgspec.structs.replace(server, move=None)
    return msgspec.structs.replace(
        server,
        move=Move(
            operation_id=operation.id,
            kind=kind,
            source=_host(server),
            dest=HostName(dest),
            old_flavor=server.flavor,
            new_flavor=flavor_wanted(server, operation),
            old_portion=server.portion,
            old_vm_state=VmState(operation.params["vm_state"]),
        ),
    )


def before(server: Server) -> Server:
    """The server that waits for its move to be confirmed, in the size that it had."""
    move = server.move
    assert move is not None, "what goes back is a move"
    return msgspec.structs.replace(server, flavor=move.old_flavor, portion=move.old_portion)


def arrived(server: Server, operation: Operation) -> Server:
    """The server where its move has brought it."""
    outputs = operation.outputs
    return msgspec.structs.replace(
        portions.carried(moving_volumes.carried(server, outputs), outputs),
        host=HostName(outputs["dest"] if "dest" in outputs else outputs["here"]),
        availability_zone=outputs["zone"],
        flavor=flavor_wanted(server, operation),
    )


async def _wishes(work: Work, server: Server, flavor: Flavor) -> tuple[ServerRequest, list[HostState]]:
    """What the server asks of a host, and the hosts. The host that it was once asked onto counts for its boot alone."""
    return await work.parts.snapshots.take(msgspec.structs.replace(server, flavor=flavor, requested_host=None))


def _host(server: Server) -> HostName:
    assert server.host is not None, "only servers on a host move"
    return server.host


def out_of_use(host: Host) -> HostState:
    """A host that no server may be sent to."""
    return HostState(name=host.name, cell_id=host.cell_id, uuid=host.uuid, up=False, enabled=False, zone="")
