"""Attach interface: a port becomes one more card of a server, running or not.

The port is bound or made first, then the host plugs the card in, then the server shows it. Where a host was lost that may have
plugged it in, the server keeps and shows the card: nobody knows that the guest doesn't use it, and its owner can detach it.
"""

from functools import partial
from typing import Any

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.engine.progress import UNSURE
from kilonova.kernel.errors import Conflict, Unavailable
from kilonova.network import ports
from kilonova.objects.guest import GuestNic
from kilonova.objects.host_action import HostAction, NicAttach, NicDetach
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Nic, NicRequest, Server, VmState
from kilonova.operations import store
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import TakenOver, Work

STARTS_IN = frozenset({VmState.ACTIVE, VmState.PAUSED, VmState.STOPPED})


class HasPort(Conflict):
    """Port {port_id} is attached to instance {server_id} already."""

    code = "port-attached-already"


def request_of(operation: Operation) -> NicRequest:
    """The card that was asked for."""
    return msgspec.convert(operation.params["request"], NicRequest)


async def port(work: Work) -> Outputs:
    """Bind the port, or make it. A worker that was taken over meanwhile takes back what nobody else knows of."""
    server, request, operation = await work.server(), request_of(work.operation), work.operation
    groups = operation.params["security_group_ids"]
    try:
        attached = await ports.port_attach(
            work.parts.networks, server, request, groups, operation_id=operation.id, attempt=operation.epoch
        )
    finally:
        await work.settle(partial(_settled, work, server, request))
    return {"nic": msgspec.to_builtins(attached.nic), "guest_nic": msgspec.to_builtins(attached.guest)}


async def _settled(work: Work, server: Server, request: NicRequest) -> bool:
    """Whether this worker need not care: it has the operation still, or has taken back what it did too late."""
    networks, operation = work.parts.networks, work.operation
    try:
        try:
            await work.check_lease()
        except TakenOver:
            if request.port_id is None:
                await ports.port_drop(networks, server, operation.id, operation.epoch)
                return True
            return await _unbound_again(work, server, request.port_id)
    except Unavailable:
        return False
    return True


async def _unbound_again(work: Work, server: Server, port_id: str) -> bool:
    """Unbind a port that was given unless the server shows it, once nothing is done to the server."""
    now = await work.database.read(store.server_find_txn, server.id)
    if now is not None and now.current_op is not None:
        return False
    if now is None or all(nic.port_id != port_id for nic in now.nics):
        await ports.port_release(work.parts.networks, server, port_id)
    return True


async def take_back(work: Work) -> None:
    """Delete the port or unbind it, unless its card may be plugged in."""
    if work.operation.outputs.get(UNSURE):
        return
    server, request = await work.server(), request_of(work.operation)
    if request.port_id is None:
        await ports.port_drop(work.parts.networks, server, work.operation.id)
    else:
        await ports.port_release(work.parts.networks, server, request.port_id)


def plug(work: HostWork) -> HostAction:
    """Plug the card in."""
    return NicAttach(nic=msgspec.convert(work.outputs["guest_nic"], GuestNic))


def unplug(work: HostWork) -> HostAction:
    """Take it out again."""
    port_id: str = work.outputs["guest_nic"]["port_id"]
    return NicDetach(port_id=port_id)


def may_have_plugged(operation: Operation) -> dict[str, Any] | None:
    """The card that its guest may have got from an operation that is ended here, as users and as hypervisors see it."""
    if operation.kind != PLAN.kind or operation.step != "plug":
        return None
    return {name: operation.outputs[name] for name in ("nic", "guest_nic")}


def shown(server: Server, operation: Operation, _now: float) -> Server:
    """With the card, once it is plugged in or may be. Raises `HasPort` at the acceptance."""
    outputs: dict[str, Any] = operation.outputs
    if operation.state is OperationState.QUEUED:
        port_id = request_of(operation).port_id
        if port_id is not None and any(nic.port_id == port_id for nic in server.nics):
            raise HasPort(port_id=port_id, server_id=server.id)
        return server
    unsure = operation.state is OperationState.FAILED and outputs.get(UNSURE)
    if "nic" not in outputs or not (operation.state is OperationState.DONE or unsure):
        return server
    return msgspec.structs.replace(
        server,
        nics=(*server.nics, msgspec.convert(outputs["nic"], Nic)),
        guest_nics=(*server.guest_nics, msgspec.convert(outputs["guest_nic"], GuestNic)),
    )


PLAN: Plan[Work] = Plan(
    kind="attach_interface",
    deadline_s=300.0,
    steps=(
        Step(name="port", ensure=port, undo=take_back),
        Step(name="plug", on_host=plug, undo_on_host=unplug, timeout_s=60.0, retries=2),
    ),
)

ACTION = Action(
    kind="attach_interface",
    name="attach_interface",
    starts_in=STARTS_IN,
    host_up=True,
    walk=during(None, "port", "plug"),
    effect=shown,
)
