"""Set password: the administrator's password inside the guest, through the guest agent that runs there.

Whether an agent is there is said by the image that the server was made from, and by a try that has just failed.
"""

import msgspec

from kilonova.engine.plan import Plan, Step
from kilonova.kernel.errors import Conflict
from kilonova.objects.host_action import HostAction, SetPassword
from kilonova.objects.operation import Operation, OperationState
from kilonova.objects.server import Server, TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work

AGENT_PROPERTY = "hw_qemu_guest_agent"
"""The property of an image that says that a guest agent runs in its guests (Glance, "Useful image properties")."""
REFUSED_S = 60.0
"""How long a try that failed speaks for the next one. An agent may come up at any time."""
_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})


class NoAgent(Conflict):
    """QEMU guest agent is not enabled for instance {server_id}: its image does not say hw_qemu_guest_agent=yes"""

    code = "no-guest-agent-in-image"


class AgentSilent(Conflict):
    """The guest of instance {server_id} could not be told a new password a moment ago: {reason} Try again in a minute."""

    code = "guest-agent-silent"


def set_password(work: HostWork) -> HostAction:
    """Tell its guest agent."""
    return SetPassword(password=work.params["admin_password"])


def noted(server: Server, operation: Operation, now: float) -> Server:
    """Whether the guest took it. Raises `NoAgent` and `AgentSilent` at the acceptance, when nobody would hear it."""
    match operation.state:
        case OperationState.QUEUED:
            if server.image_properties.get(AGENT_PROPERTY, "").lower() not in _TRUE:
                raise NoAgent(server_id=server.id)
            if server.password_failed_at is not None and now < server.password_failed_at + REFUSED_S:
                reason = server.fault.message if server.fault is not None else ""
                raise AgentSilent(server_id=server.id, reason=reason)
        case OperationState.DONE:
            return msgspec.structs.replace(server, password_failed_at=None)
        case OperationState.FAILED:
            return msgspec.structs.replace(server, password_failed_at=now)
    return server


PLAN: Plan[Work] = Plan(
    kind="set_password",
    deadline_s=120.0,
    secrets=("admin_password",),
    steps=(Step(name="set_password", on_host=set_password, timeout_s=60.0, retries=2),),
)

ACTION = Action(
    kind="set_password",
    name="changePassword",
    starts_in=frozenset({VmState.ACTIVE}),
    walk=during(TaskState.UPDATING_PASSWORD, "set_password"),
    effect=noted,
)
