"""Backup: a snapshot of which only the newest few are kept, for each server and kind of backup."""

from collections.abc import Sequence

from kilonova.engine.plan import Outputs, Plan, Step
from kilonova.objects.image import Image
from kilonova.objects.server import TaskState
from kilonova.operations import made_images
from kilonova.operations.plans.snapshot import DEADLINE_S, DECLARE, STARTS_IN, UPLOAD
from kilonova.operations.states import Action, during
from kilonova.operations.work import Work

MARKS = ("image_type", "instance_uuid", "backup_type")
"""The properties that backups of one series have in common (Nova, "createBackup")."""


async def rotate(work: Work) -> Outputs:
    """Delete all backups of the series but the newest `rotation`. Those that their owner protects stay."""
    new = made_images.new_image(work.operation)
    marks = {name: new.properties[name] for name in MARKS}
    found = await work.parts.images.images_of(new.owner, marks)
    for image in _newest_first(found, new.id)[work.operation.params["rotation"] :]:
        await work.check_lease()
        await made_images.delete_whole(work, image.id)
    return {}


def _newest_first(images: Sequence[Image], new_id: str) -> list[Image]:
    """`images` with the one just made first: their times are whole seconds, and others may have the same one."""
    return sorted(images, key=lambda image: bool(image.id != new_id))


PLAN: Plan[Work] = Plan(
    kind="backup",
    deadline_s=DEADLINE_S,
    steps=(
        DECLARE,
        UPLOAD,
        Step(name="stored", ensure=made_images.stored, retries=10, pivot=True),
        Step(name="rotate", ensure=rotate, retries=10),
    ),
)

ACTION = Action(
    kind="backup",
    name="createBackup",
    starts_in=STARTS_IN,
    walk={
        **during(TaskState.IMAGE_BACKUP, made_images.FIRST),
        **during(TaskState.IMAGE_UPLOADING, "upload", "stored", "rotate"),
    },
)
