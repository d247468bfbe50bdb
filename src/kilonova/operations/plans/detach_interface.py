"""Detach interface: a server gives up one card; its port is deleted, or unbound when it was not made for the server.

The host comes first: a port is let go only when the guest no longer has its card. A guest that keeps the card is asked again;
if it never lets go the operation fails, and the server shows the card, which is the truth.
"""

from typing import Any

import msgspec

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.kernel.errors import Conflict
from kilonova.network import ports
from kilonova.objects.host_action import HostAction, NicDetach
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server
from kilonova.operations.host_work import HostWork
from kilonova.operations.plans.attach_interface import STARTS_IN
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work

FOREVER = 1_000_000
"""Attempts at what has no way back."""


class NoSuchCard(Conflict):
    """Port {port_id} is not attached to instance {server_id} any more."""

    code = "no-such-card"


def unplug(work: HostWork) -> HostAction:
    """Take the card out, and wait until the guest has let it go."""
    port_id: str = work.params["port_id"]
    return NicDetach(port_id=port_id)


async def release(work: Work) -> Outputs:
    """Delete the port or unbind it. One that is gone is fine."""
    port_id: str = work.operation.params["port_id"]
    await ports.port_release(work.parts.networks, await work.server(), port_id)
    return {}


def shown(server: Server, operation: Operation, _now: float) -> Server:
    """Without the card, once its port is free. Raises `NoSuchCard` at the acceptance."""
    params: dict[str, Any] = operation.params
    port_id = params["port_id"]
    if operation.state is OperationState.QUEUED and all(nic.port_id != port_id for nic in server.nics):
        raise NoSuchCard(port_id=port_id, server_id=server.id)
    if operation.state is not OperationState.DONE:
        return server
    return msgspec.structs.replace(
        server,
        nics=tuple(nic for nic in server.nics if nic.port_id != port_id),
        guest_nics=tuple(nic for nic in server.guest_nics if nic.port_id != port_id),
    )


PLAN: Plan[Work] = Plan(
    kind="detach_interface",
    deadline_s=600.0,
    steps=(
        Step(name="unplug", on_host=unplug, timeout_s=60.0, retries=7, pivot=True),
        Step(name="release", ensure=release, retries=FOREVER),
    ),
)

ACTION = Action(
    kind="detach_interface",
    name="detach_interface",
    starts_in=STARTS_IN,
    host_up=True,
    walk=during(None, "unplug", "release"),
    effect=shown,
)
