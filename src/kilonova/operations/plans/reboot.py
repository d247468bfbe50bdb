"""Reboot: soft asks the running system, hard cuts the power and starts anew."""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.host_action import HostAction, Reboot, Rebuild
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def soft(_: HostWork) -> HostAction:
    """Ask the running system."""
    return Reboot(hard=False)


def hard(work: HostWork) -> HostAction:
    """Cut the power and start anew. A server in ERROR that boots from a volume is made anew around it: its guest may be gone."""
    if work.params["vm_state"] == VmState.ERROR and any(volume.guest.boot for volume in work.server.volumes):
        return Rebuild(spec=work.spec(), run=True, keep_disk=True)
    return Reboot(hard=True)


SOFT: Plan[Work] = Plan(
    kind="reboot",
    deadline_s=300.0,
    steps=(Step(name="reboot", on_host=soft, timeout_s=180.0, retries=2),),
)

HARD: Plan[Work] = Plan(
    kind="reboot_hard",
    deadline_s=300.0,
    steps=(Step(name="reboot", on_host=hard, timeout_s=120.0, retries=2),),
)

SOFT_ACTION = Action(
    kind="reboot",
    name="reboot",
    starts_in=frozenset({VmState.ACTIVE}),
    walk=during(TaskState.REBOOTING, "reboot"),
    ends_in=VmState.ACTIVE,
)

HARD_ACTION = Action(
    kind="reboot_hard",
    name="reboot",
    starts_in=frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.PAUSED, VmState.SUSPENDED, VmState.ERROR}),
    interrupts=frozenset({"reboot", "pause", "unpause", "suspend", "resume"}),
    walk=during(TaskState.REBOOTING_HARD, "reboot"),
    ends_in=VmState.ACTIVE,
    fails_in=VmState.ERROR,
)
