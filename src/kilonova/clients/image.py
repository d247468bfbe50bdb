"""What Kilonova asks of the image service."""

from collections.abc import AsyncIterator
from typing import Protocol

from kilonova.objects.caller import Caller
from kilonova.objects.image import Image


class Images(Protocol):
    """Images and their content. The built-in service and Glance's client implement it."""

    async def image_get(self, caller: Caller, image_id: str) -> Image:
        """The image, if `caller` may see it. Raises `NotFound`, `Unavailable`."""

    def image_content(self, image_id: str) -> AsyncIterator[bytes]:
        """The content in pieces, in the service's own name. Raises `NotFound`, `Unavailable` when iterated."""

    async def close(self) -> None:
        """Let go of connections."""
