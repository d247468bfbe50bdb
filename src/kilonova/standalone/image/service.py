"""The image service put together: an ASGI application, and what the other services of the process ask of it."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from kilonova.clients.image_document import image_of
from kilonova.database.database import Database
from kilonova.kernel.errors import Unavailable
from kilonova.kernel.ids import ProjectId
from kilonova.objects.caller import Caller
from kilonova.objects.image import Image, NewImage
from kilonova.runtime.runtime import Runtime
from kilonova.standalone.image.attributes import document, parsed
from kilonova.standalone.image.content import Contents
from kilonova.standalone.image.context import Context, error_body
from kilonova.standalone.image.files import Files, store_content
from kilonova.standalone.image.images import Images, columns
from kilonova.standalone.image.members import Members
from kilonova.standalone.image.policy import RULES
from kilonova.standalone.image.schemas import Schemas
from kilonova.standalone.image.store import (
    ImageExists,
    NoSuchImage,
    WrongStatus,
    create_txn,
    delete_txn,
    image_txn,
    images_of_txn,
    requeue_interrupted_txn,
)
from kilonova.standalone.image.versions import Versions
from kilonova.web.policy import Policy
from kilonova.web.routing import Route
from kilonova.web.service import Dialect, Service, Tokens

SIZE_MAX = 64 << 30
"""Largest content taken, in bytes."""
BODY_MAX = 8 << 20
"""Largest JSON body taken, in bytes: room for every property at its longest."""


class StandaloneImages:
    """Implements `clients.image.Images` in process; `service` answers the Image API."""

    def __init__(self, context: Context, tokens: Tokens) -> None:
        """Answer from `context`; `open_images` makes it."""
        self._context = context
        dialect = Dialect(name="image", error_body=error_body, body_max=BODY_MAX)
        self.service = Service(dialect, _routes(context), tokens, context.runtime)

    async def image_get(self, caller: Caller, image_id: str) -> Image:
        """See `Images.image_get`."""
        return image_of(document(await self._context.visible(caller, image_id)))

    async def image_content(self, image_id: str) -> AsyncIterator[bytes]:
        """See `Images.image_content`."""
        row = await self._context.database.read(image_txn, image_id)
        if row["size"] is None:
            raise NoSuchImage(id=image_id)
        async for piece in self._context.contents.read(image_id, 0, row["size"]):
            yield piece

    async def image(self, image_id: str) -> Image:
        """See `Images.image`."""
        return image_of(document(await self._context.database.read(image_txn, image_id)))

    async def image_create(self, image: NewImage, caller: Caller | None = None) -> None:
        """See `Images.image_create`."""
        if caller is not None:
            self._context.policy.enforce("add_image", caller, {"owner": image.owner})
        settable, properties = parsed({**image.properties, **_settable(image)})
        values = {"id": image.id, **columns(settable), "owner": image.owner, "properties": properties}
        with contextlib.suppress(ImageExists):
            await self._context.database.write(create_txn, values, settable.tags)

    async def image_store(self, image_id: str, content: AsyncIterator[bytes]) -> None:
        """See `Images.image_store`."""
        row = await self._context.database.read(image_txn, image_id)
        if row["size"] is not None:
            return
        try:
            await store_content(self._context, row, content)
        except WrongStatus as error:
            raise Unavailable(service="the image service", reason=error.message) from error

    async def image_delete(self, image_id: str) -> None:
        """See `Images.image_delete`."""
        with contextlib.suppress(NoSuchImage):
            await self._context.database.write(delete_txn, image_id)
        await self._context.contents.discard(image_id)

    async def images_of(self, owner: ProjectId, properties: Mapping[str, str]) -> Sequence[Image]:
        """See `Images.images_of`."""
        rows = await self._context.database.scan(images_of_txn, owner, properties)
        return [image_of(document(row)) for row in rows]

    async def close(self) -> None:
        """See `Images.close`. The database belongs to whoever opened it."""


def _settable(image: NewImage) -> dict[str, object]:
    """What requests would set of a new image."""
    return {
        "name": image.name,
        "owner": image.owner,
        "visibility": "private",
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
    }


async def open_images(
    database: Database,
    runtime: Runtime,
    tokens: Tokens,
    *,
    url: str,
    directory: Path,
    size_max: int = SIZE_MAX,
    policy: Mapping[str, str] | None = None,
) -> StandaloneImages:
    """Open the image service on a database whose tables (`tables.metadata`) are there.

    Args:
        database: the image database.
        runtime: clock, ids and threads.
        tokens: says whose a token is.
        url: where clients reach the service, e.g. `http://127.0.0.1:8774/image`.
        directory: where contents are kept; nothing else may be in it.
        size_max: largest content taken, in bytes.
        policy: rules that differ from `policy.RULES`.
    """
    context = Context(
        database=database,
        contents=Contents(directory, runtime, size_max),
        policy=Policy(RULES, policy),
        runtime=runtime,
        url=url.rstrip("/"),
    )
    await context.contents.sweep(await database.write(requeue_interrupted_txn))
    return StandaloneImages(context, tokens)


def _routes(context: Context) -> Sequence[Route]:
    resources = (Versions(context.url), Images(context), Files(context), Members(context), Schemas())
    return [route for resource in resources for route in resource.routes()]
