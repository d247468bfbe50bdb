"""The image service's double: one small public image, and what servers are made into; answers that get lost."""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from kilonova.kernel.errors import NotFound, OverLimit, Unavailable
from kilonova.kernel.ids import ProjectId
from kilonova.objects.caller import Caller
from kilonova.objects.guest import GuestImage
from kilonova.objects.image import Image, NewImage
from kilonova.simulation.faults import Faults
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.network import hop
from kilonova.simulation.process import Process

T = TypeVar("T")

CONTENT = b"a disk, in a manner of speaking"
IMAGE = GuestImage(
    id="44444444-0000-4000-8000-000000000001",
    disk_format="raw",
    size=len(CONTENT),
    sha512=hashlib.sha512(CONTENT).hexdigest(),
)
_PUBLIC = Image(
    id=IMAGE.id,
    name="simulated",
    status="active",
    visibility="public",
    owner=None,
    disk_format=IMAGE.disk_format,
    container_format="bare",
    size=IMAGE.size,
    sha512=IMAGE.sha512,
    min_disk=0,
    min_ram=0,
    created_at="2026-01-01T00:00:00Z",
    updated_at="2026-01-01T00:00:00Z",
)


class ImageService:
    """The service itself, with its images and their contents."""

    def __init__(self) -> None:
        """Start with the public image alone."""
        self.images: dict[str, Image] = {IMAGE.id: _PUBLIC}
        """In the order in which they were declared."""
        self.contents: dict[str, bytes] = {IMAGE.id: CONTENT}
        self._deleted: set[str] = set()
        """Ids that are not given again."""

    def get(self, image_id: str) -> Image:
        """One image. Raises `NotFound`."""
        if image_id not in self.images:
            raise NotFound(kind="Image", id=image_id)
        return self.images[image_id]

    def declare(self, new: NewImage) -> None:
        """See `Images.image_create`."""
        if new.id not in self.images and new.id not in self._deleted:
            self.images[new.id] = Image(
                **{name: getattr(new, name) for name in NewImage.__struct_fields__},
                status="queued",
                visibility="private",
                size=None,
                sha512=None,
                created_at="2026-01-01T00:00:00Z",
                updated_at="2026-01-01T00:00:00Z",
            )

    def store(self, image_id: str, content: bytes) -> None:
        """See `Images.image_store`."""
        if self.get(image_id).size is None:
            digest = hashlib.sha512(content).hexdigest()
            known = msgspec.structs.replace(self.get(image_id), status="active", size=len(content), sha512=digest)
            self.images[image_id], self.contents[image_id] = known, content

    def remove(self, image_id: str) -> None:
        """See `Images.image_delete`."""
        if self.images.pop(image_id, None) is not None:
            self._deleted.add(image_id)
        self.contents.pop(image_id, None)

    def of(self, owner: ProjectId, properties: Mapping[str, str]) -> list[Image]:
        """See `Images.images_of`."""
        return [
            image
            for image in reversed(self.images.values())
            if image.owner == owner and properties.items() <= image.properties.items()
        ]


class SimImages:
    """Implements `Images` for one process."""

    def __init__(self, loop: SimLoop, service: ImageService, process: Process, faults: Faults) -> None:
        """Connect `process` to `service`."""
        self._service = service
        self._faults = faults
        self._stream = loop.stream(f"images/{process.name}/{process.incarnation}")

    async def image_get(self, caller: Caller, image_id: str) -> Image:
        """See `Images.image_get`."""
        image = await self.image(image_id)
        if image.owner not in {None, caller.project_id}:
            raise NotFound(kind="Image", id=image_id)
        return image

    async def image(self, image_id: str) -> Image:
        """See `Images.image`."""
        return await self._ask(lambda: self._service.get(image_id))

    async def image_content(self, image_id: str) -> AsyncIterator[bytes]:
        """See `Images.image_content`: in two pieces, with time between them."""
        for half in (0, 1):
            content = await self._ask(lambda: self._content(image_id))
            middle = len(content) // 2
            yield content[middle:] if half else content[:middle]

    async def image_create(self, image: NewImage, caller: Caller | None = None) -> None:
        """See `Images.image_create`."""

        def made() -> None:
            if caller is not None and self._faults.strikes("service_refuses"):
                raise OverLimit(resource="images", requested=1, used=1, limit=1)
            self._service.declare(image)

        await self._ask(made)

    async def image_store(self, image_id: str, content: AsyncIterator[bytes]) -> None:
        """See `Images.image_store`: each piece takes time, and nothing is kept before the last."""
        if (await self._ask(lambda: self._service.get(image_id))).size is not None:
            return
        whole = b""
        async for piece in content:
            whole += piece
            await self._ask(lambda: self._service.get(image_id))
        await self._ask(lambda: self._service.store(image_id, whole))

    async def image_delete(self, image_id: str) -> None:
        """See `Images.image_delete`."""
        await self._ask(lambda: self._service.remove(image_id))

    async def images_of(self, owner: ProjectId, properties: Mapping[str, str]) -> Sequence[Image]:
        """See `Images.images_of`."""
        return await self._ask(lambda: self._service.of(owner, properties))

    async def close(self) -> None:
        """See `Images.close`."""

    def _content(self, image_id: str) -> bytes:
        if image_id not in self._service.contents:
            raise NotFound(kind="Image", id=image_id)
        return self._service.contents[image_id]

    async def _ask(self, work: Callable[[], T]) -> T:
        """Carry a call there and its answer back, or lose either."""
        faults, stream = self._faults, self._stream
        await hop(stream, slow=faults.strikes("call_slow"))
        if faults.strikes("call_refused"):
            raise Unavailable(service="the image service", reason="connection refused")
        answer = work()
        await hop(stream, slow=faults.strikes("call_slow"))
        if faults.strikes("call_answer_lost"):
            raise Unavailable(service="the image service", reason="connection lost")
        return answer
