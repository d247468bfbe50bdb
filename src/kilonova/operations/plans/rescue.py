"""Rescue: run the guest from another image, with its own disk beside, so that its owner can mend that."""

import msgspec

from kilonova.engine.plan import Plan, Step
from kilonova.objects.guest import GuestImage
from kilonova.objects.host_action import HostAction, Rescue, Unrescue
from kilonova.objects.server import TaskState, VmState
from kilonova.operations.host_work import HostWork
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work


def rescue(work: HostWork) -> HostAction:
    """Run it from the rescue image, which is in the params `image`, `kernel` and `ramdisk`."""
    rescued = msgspec.structs.replace(
        work.server,
        image=_image(work, "image"),
        kernel=_image(work, "kernel"),
        ramdisk=_image(work, "ramdisk"),
    )
    return Rescue(spec=work.spec(rescued))


def back(_: HostWork) -> HostAction:
    """Run it from its own disk."""
    return Unrescue()


def _image(work: HostWork, part: str) -> GuestImage | None:
    described = work.params.get(part)
    return None if described is None else msgspec.convert(described, GuestImage)


PLAN: Plan[Work] = Plan(
    kind="rescue",
    deadline_s=900.0,
    secrets=("admin_password",),
    steps=(Step(name="rescue", on_host=rescue, undo_on_host=back, timeout_s=600.0, retries=1),),
)

ACTION = Action(
    kind="rescue",
    name="rescue",
    starts_in=frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.ERROR}),
    walk=during(TaskState.RESCUING, "rescue"),
    ends_in=VmState.RESCUED,
)
