"""The image service put together: an ASGI application, and what the other services of the process ask of it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from kilonova.clients.image_document import image_of
from kilonova.database.database import Database
from kilonova.objects.caller import Caller
from kilonova.objects.image import Image
from kilonova.runtime.runtime import Runtime
from kilonova.standalone.image.attributes import document
from kilonova.standalone.image.content import Contents
from kilonova.standalone.image.context import Context, error_body
from kilonova.standalone.image.files import Files
from kilonova.standalone.image.images import Images
from kilonova.standalone.image.members import Members
from kilonova.standalone.image.policy import RULES
from kilonova.standalone.image.schemas import Schemas
from kilonova.standalone.image.store import NoSuchImage, image_txn, requeue_interrupted_txn
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

    async def close(self) -> None:
        """See `Images.close`. The database belongs to whoever opened it."""


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
