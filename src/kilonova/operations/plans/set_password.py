"""Set password: the administrator's password inside the guest, through the guest agent that runs there."""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import HostAction, SetPassword
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def set_password(work: HostWork) -> HostAction:
    """Tell its guest agent."""
    return SetPassword(password=work.params["admin_password"])


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
)
