"""Images by a real Glance."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kilonova.clients.image_document import image_of
from kilonova.clients.session import ServiceSession, message_of
from kilonova.kernel.errors import Forbidden, Invalid, NotFound, OverLimit, Unavailable
from kilonova.kernel.ids import ProjectId, is_uuid
from kilonova.objects.caller import Caller
from kilonova.objects.image import Image, NewImage

if TYPE_CHECKING:
    import httpx

SERVICE = "the image service"
PAGE = 100
"""Images asked for in one request of a list."""


class NotAllowed(Forbidden):
    """The image service doesn't allow it: {reason}"""

    code = "image-not-allowed"


class ImagesFull(OverLimit):
    """The image service has no room: {reason}"""

    code = "images-full"


class GlanceImages:
    """Implements `Images` by the Image API v2."""

    def __init__(self, session: ServiceSession) -> None:
        """Ask through `session`; its service account must see every image whose content is read."""
        self._session = session

    async def image_get(self, caller: Caller, image_id: str) -> Image:
        """See `Images.image_get`."""
        return await self._get(image_id, caller.token)

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

    async def image(self, image_id: str) -> Image:
        """See `Images.image`."""
        return await self._get(image_id, None)

    async def image_create(self, image: NewImage, caller: Caller | None = None) -> None:
        """See `Images.image_create`. Its id is taken (409) when an earlier try got through."""
        token = None if caller is None else caller.token
        response = await self._session.post("image", "/v2/images", json=_document(image), token=token)
        if response.status_code not in {201, 409}:
            raise _refusal(response)

    async def image_store(self, image_id: str, content: AsyncIterator[bytes]) -> None:
        """See `Images.image_store`. Nothing is read of `content` before the image is known to want it."""
        image = await self.image(image_id)
        if image.status == "active":
            return
        if image.status != "queued":
            raise Unavailable(service=SERVICE, reason=f"image {image_id} is {image.status}")
        response = await self._session.put(
            "image",
            f"{_path(image_id)}/file",
            content=content,
            headers={"Content-Type": "application/octet-stream"},
            timeout=None,
        )
        if response.status_code == 404:
            raise NotFound(kind="Image", id=image_id)
        if response.status_code == 409:
            raise Unavailable(service=SERVICE, reason=message_of(response))
        if response.status_code != 204:
            raise _refusal(response)

    async def image_delete(self, image_id: str) -> None:
        """See `Images.image_delete`."""
        response = await self._session.delete("image", _path(image_id))
        if response.status_code not in {204, 404}:
            raise _refusal(response)

    async def images_of(self, owner: ProjectId, properties: Mapping[str, str]) -> Sequence[Image]:
        """See `Images.images_of`."""
        asked = {"owner": owner, "visibility": "all", "sort": "created_at:desc", "limit": str(PAGE), **properties}
        found: list[Image] = []
        while True:
            response = await self._session.get("image", "/v2/images", params=asked)
            if response.status_code != 200:
                raise _refusal(response)
            page = response.json()
            found += [image_of(one) for one in page["images"]]
            if not page["images"] or page.get("next") is None:
                return found
            asked["marker"] = page["images"][-1]["id"]

    async def close(self) -> None:
        """See `Images.close`."""
        await self._session.close()

    async def _get(self, image_id: str, token: str | None) -> Image:
        response = await self._session.get("image", _path(image_id), token=token)
        _check(response, image_id)
        return image_of(response.json())


def _document(image: NewImage) -> dict[str, Any]:
    """The body that declares an image (Image API v2, "Create image")."""
    return {
        **image.properties,
        "id": image.id,
        "name": image.name,
        "owner": image.owner,
        "visibility": "private",
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
    }


def _refusal(response: "httpx.Response") -> Forbidden | Invalid | OverLimit | Unavailable:
    """The error for an answer that was not hoped for."""
    reason = message_of(response)
    match response.status_code:
        case 400 | 415:
            return Invalid(reason=reason)
        case 403:
            return NotAllowed(reason=reason)
        case 413:
            return ImagesFull(reason=reason)
        case status:
            return Unavailable(service=SERVICE, reason=f"{status}: {reason}")


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
