"""Images by a real Glance."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from kilonova.clients.image_document import image_of
from kilonova.clients.session import ServiceSession, message_of
from kilonova.kernel.errors import NotFound, Unavailable
from kilonova.kernel.ids import is_uuid
from kilonova.objects.caller import Caller
from kilonova.objects.image import Image

if TYPE_CHECKING:
    import httpx


class GlanceImages:
    """Implements `Images` by the Image API v2."""

    def __init__(self, session: ServiceSession) -> None:
        """Ask through `session`; its service account must see every image whose content is read."""
        self._session = session

    async def image_get(self, caller: Caller, image_id: str) -> Image:
        """See `Images.image_get`."""
        path = _path(image_id)
        response = await self._session.get("image", path, token=caller.token)
        _check(response, image_id)
        return image_of(response.json())

    async def image_content(self, image_id: str) -> AsyncIterator[bytes]:
        """See `Images.image_content`. A connection that breaks in the middle raises `Unavailable`."""
        import httpx  # noqa: PLC0415 - costs 0.1 s, and only clouds with outside services need it

        response = await self._session.get("image", f"{_path(image_id)}/file", stream=True)
        try:
            if response.status_code >= 400:
                await response.aread()
            _check(response, image_id)
            async for piece in response.aiter_bytes():
                yield piece
        except httpx.TransportError as error:
            raise Unavailable(service="the image service", reason=str(error) or type(error).__name__) from error
        finally:
            await response.aclose()

    async def close(self) -> None:
        """See `Images.close`."""
        await self._session.close()


def _path(image_id: str) -> str:
    """Raises `NotFound` for what can't be an image's id, before it becomes part of a URL."""
    if not is_uuid(image_id):
        raise NotFound(kind="Image", id=image_id)
    return f"/v2/images/{image_id}"


def _check(response: "httpx.Response", image_id: str) -> None:
    """Raise for any answer but the one hoped for. An image without content is not there (204)."""
    if response.status_code in {204, 403, 404}:
        raise NotFound(kind="Image", id=image_id)
    if response.status_code != 200:
        raise Unavailable(service="the image service", reason=f"{response.status_code}: {message_of(response)}")
