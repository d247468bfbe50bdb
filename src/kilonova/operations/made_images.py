"""Images that are made from servers: declared with the acceptance, filled by the host, deleted when nothing comes of it.

The API declares an image in the caller's name, right after the action was accepted. The operation waits for that, and declares
the image in the service's own name when the API did not come to it. An image that nothing has come of is declared once more
before it is deleted: an id that was deleted is not given again, so that an API that comes too late makes nothing.
"""

import logging

import msgspec

from kilonova.engine.plan import Outputs
from kilonova.engine.runner import TooEarly
from kilonova.kernel.errors import Conflict, Forbidden, NotFound
from kilonova.objects.guest import GuestImage
from kilonova.objects.host_action import HostAction, Snapshot
from kilonova.objects.image import NewImage
from kilonova.objects.operation import Operation
from kilonova.operations.host_work import HostWork
from kilonova.operations.work import Work

log = logging.getLogger(__name__)

NEW = "new_image"
"""The param that has the image to be made."""
STORED = "stored"
"""The output that has the image with its content."""
FIRST = "declare"
"""The first step of every plan that makes an image."""
DECLARED_S = 10.0
"""How long the operation waits for the API to declare its image."""
ASK_AGAIN_S = 0.1
UPLOAD_S = 3600.0
"""How long reading a disk and storing it may take."""


class NoContent(Conflict):
    """Image {id} did not get its content: it is {status}"""

    code = "image-without-content"


def new_image(operation: Operation) -> NewImage:
    """The image that `operation` makes."""
    return msgspec.convert(operation.params[NEW], NewImage)


async def declare(work: Work) -> Outputs:
    """Have the image declared, by the API or by us."""
    image = new_image(work.operation)
    try:
        await work.parts.images.image(image.id)
    except NotFound:
        waited_s = await work.database.read(lambda tx: tx.now) - work.operation.created_at
        if waited_s < DECLARED_S:
            raise TooEarly(ASK_AGAIN_S, f"image {image.id} has yet to be declared") from None
        await work.check_lease()
        await work.parts.images.image_create(image)
    return {"declared": True}


async def take_back(work: Work) -> None:
    """Delete the image, whatever has come of it."""
    await delete(work, new_image(work.operation))


def left_half_made(operation: Operation) -> bool:
    """Whether an interrupted operation was making an image; it may have been declared before any worker came."""
    return bool(operation.params.get("half_made"))


async def delete_half_made(work: Work) -> Outputs:
    """Delete the image that the interrupted operation was making."""
    for half_made in work.operation.params.get("half_made", ()):
        await delete(work, msgspec.convert(half_made, NewImage))
    return {}


async def delete(work: Work, image: NewImage) -> None:
    """Delete an image that is not to be, for good. One that its owner protects stays."""
    try:
        await work.parts.images.image(image.id)
    except NotFound:
        await work.parts.images.image_create(image)
    await delete_whole(work, image.id)


async def delete_whole(work: Work, image_id: str) -> None:
    """Delete an image that is known to be there, or to have been. One that its owner protects stays."""
    try:
        await work.parts.images.image_delete(image_id)
    except Forbidden as error:
        log.warning("%s", error.message)


def was_shelved(operation: Operation) -> bool:
    """Whether the server had been shelved, as an image that is there still."""
    return bool(operation.params.get("shelved_as"))


async def forget_shelved(work: Work) -> Outputs:
    """Delete what the server had been shelved as when the operation was accepted. An image that its owner protects stays."""
    for image_id in work.operation.params["shelved_as"]:
        await delete_whole(work, image_id)
    return {}


def upload(work: HostWork) -> HostAction:
    """Store the guest's disk as the content of the image."""
    image = new_image(work.operation)
    return Snapshot(image_id=image.id, disk_format=image.disk_format)


async def stored(work: Work) -> Outputs:
    """See that the image has its content. Raises `NoContent`, and `NotFound` when its owner deleted it meanwhile."""
    image = await work.parts.images.image(new_image(work.operation).id)
    if image.status != "active" or image.sha512 is None:
        raise NoContent(id=image.id, status=image.status)
    content = GuestImage(
        id=image.id, disk_format=image.disk_format or "qcow2", size=image.size or 0, sha512=image.sha512
    )
    return {STORED: msgspec.to_builtins(content)}
