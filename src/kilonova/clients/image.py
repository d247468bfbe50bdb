"""What Kilonova asks of the image service."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from kilonova.kernel.ids import ProjectId
from kilonova.objects.caller import Caller
from kilonova.objects.image import Image, NewImage


class Images(Protocol):
    """Images and their content. The built-in service and Glance's client implement it.

    What is done in the service's own name needs an administrator's account there.
    """

    async def image_get(self, caller: Caller, image_id: str) -> Image:
        """The image, if `caller` may see it. Raises `NotFound`, `Unavailable`."""

    def image_content(self, image_id: str) -> AsyncIterator[bytes]:
        """The content in pieces, in the service's own name. Raises `NotFound`, `Unavailable` when iterated."""

    async def image(self, image_id: str) -> Image:
        """The image, in the service's own name. Raises `NotFound`, `Unavailable`."""

    async def image_create(self, image: NewImage, caller: Caller | None = None) -> None:
        """Declare an image, without content: with the caller's own rights, or in the service's name for the image's owner.

        One that is there already stays as it is. Raises `Forbidden`, `Invalid`, `OverLimit`, `Unavailable`.
        """

    async def image_store(self, image_id: str, content: AsyncIterator[bytes]) -> None:
        """Give an image its whole content, in the service's own name. One that has its content keeps it.

        Raises `NotFound`, `Invalid` for a content that is refused, and `Unavailable`: another upload may be under way.
        """

    async def image_delete(self, image_id: str) -> None:
        """Delete an image, in the service's own name. One that isn't there is fine. Raises `Forbidden`, `Unavailable`."""

    async def images_of(self, owner: ProjectId, properties: Mapping[str, str]) -> Sequence[Image]:
        """All images of a project that have all of these properties, newest first, in the service's own name.

        Raises `Unavailable`.
        """

    async def close(self) -> None:
        """Let go of connections."""
