"""The way to the image service for agents that share a process with it."""

from collections.abc import AsyncIterator

from kilonova.clients.image import Images
from kilonova.objects.guest import GuestImage


class ImagesInProcess:
    """Implements `drivers.driver.ImageStore` on the image service."""

    def __init__(self, images: Images) -> None:
        """Read from and write to `images`, in the service's own name."""
        self._images = images

    def image_content(self, image: GuestImage) -> AsyncIterator[bytes]:
        """See `ImageSource.image_content`."""
        return self._images.image_content(image.id)

    async def image_upload(self, image_id: str, content: AsyncIterator[bytes]) -> None:
        """See `ImageSink.image_upload`."""
        await self._images.image_store(image_id, content)
