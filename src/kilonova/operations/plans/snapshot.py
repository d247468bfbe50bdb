"""Snapshot: the guest's disk, as of one moment, becomes an image of the server's project."""

from kilonova.engine.plan import Plan, Step
from kilonova.objects.server import TaskState, VmState
from kilonova.operations import made_images
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work

DEADLINE_S = 2 * 3600.0
STARTS_IN = frozenset({VmState.ACTIVE, VmState.STOPPED, VmState.PAUSED, VmState.SUSPENDED})

DECLARE: Step[Work] = Step(name=made_images.FIRST, ensure=made_images.declare, undo=made_images.take_back, retries=10)
UPLOAD: Step[Work] = Step(name="upload", on_host=made_images.upload, timeout_s=made_images.UPLOAD_S, retries=3)

PLAN: Plan[Work] = Plan(
    kind="snapshot",
    deadline_s=DEADLINE_S,
    steps=(DECLARE, UPLOAD, Step(name="stored", ensure=made_images.stored, retries=10)),
)

ACTION = Action(
    kind="snapshot",
    name="createImage",
    starts_in=STARTS_IN,
    walk={
        **during(TaskState.IMAGE_SNAPSHOT_PENDING, made_images.FIRST),
        **during(TaskState.IMAGE_UPLOADING, "upload", "stored"),
    },
)
