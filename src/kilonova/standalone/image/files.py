"""Contents of images (Image API v2, "Image data"): upload and download."""

import re
from collections.abc import AsyncIterator, Sequence

from kilonova.kernel.errors import Forbidden, Invalid, UnsupportedMedia
from kilonova.standalone.image.content import StoreBroken
from kilonova.standalone.image.context import Context
from kilonova.standalone.image.store import NoSuchImage, Row, move_txn
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Route

_MEDIA_TYPE = "application/octet-stream"
_RANGE = re.compile(r"bytes=(\d{1,18})?-(\d{1,18})?")


class Deactivated(Forbidden):
    """Image {id} is deactivated; its content can't be read."""

    code = "image-deactivated"


async def store_content(context: Context, image: Row, pieces: AsyncIterator[bytes]) -> None:
    """Give a queued image its content. It is `saving` meanwhile; after any failure it is `queued` and has none.

    Raises `WrongStatus`, `NoSuchImage` when it is deleted meanwhile, and what `Contents.receive` raises.
    """
    database, contents, image_id = context.database, context.contents, image["id"]
    await database.write(move_txn, image_id, "an upload", ("queued",), "saving")
    try:
        content = await contents.receive(image_id, image["disk_format"], pieces)
        await contents.keep(image_id)
        known = {
            "size": content.size,
            "virtual_size": content.virtual_size,
            "checksum": content.md5,
            "os_hash_value": content.sha512,
        }
        await database.write(move_txn, image_id, "an upload", ("saving",), "active", **known)
    except BaseException as error:
        await contents.discard(image_id)
        try:
            await database.write(move_txn, image_id, "an upload", ("saving",), "queued")
        except NoSuchImage:
            if isinstance(error, StoreBroken):
                raise  # the file went with its image
        raise


class Files:
    """`/v2/images/{image_id}/file`."""

    def __init__(self, context: Context) -> None:
        """Answer from `context`."""
        self._context = context

    def routes(self) -> Sequence[Route]:
        """Upload and download."""
        path = "/v2/images/{image_id}/file"
        return (
            Route(method="PUT", path=path, handler=self.upload, success=204, body=Body.STREAM),
            Route(method="GET", path=path, handler=self.download),
        )

    async def upload(self, call: Call) -> Reply:
        """PUT: see `store_content`."""
        if call.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
            raise UnsupportedMedia(reason=f"The content type of an upload must be {_MEDIA_TYPE}.")
        row = await self._context.enforced(call, "upload_image")
        if row["disk_format"] is None or row["container_format"] is None:
            raise Invalid(reason="Set disk_format and container_format before the content is uploaded.")
        self._context.contents.check_size(call.headers.get("content-length"))
        await store_content(self._context, row, call.stream())
        return Reply()

    async def download(self, call: Call) -> Reply:
        """GET: the content or the range of it that is asked for; 204 when there is none."""
        row = await self._context.enforced(call, "download_image")
        if row["status"] == "deactivated" and not self._context.policy.allows("read_deactivated", call.user):
            raise Deactivated(id=row["id"])
        if row["status"] in {"queued", "saving"}:
            return Reply(status=204)
        return self._reply(row, call.headers.get("range"))

    def _reply(self, row: Row, asked: str | None) -> Reply:
        size = row["size"]
        headers = {"Accept-Ranges": "bytes"}
        start, end = 0, size
        if asked is not None:
            chosen = _range(asked, size)
            if chosen is None:
                return Reply(b"", 416, {"Content-Range": f"bytes */{size}"}, _MEDIA_TYPE)
            start, end = chosen
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        else:
            headers["Content-MD5"] = row["checksum"]
        headers["Content-Length"] = str(end - start)
        pieces = self._context.contents.read(row["id"], start, end)
        return Reply(pieces, 200 if asked is None else 206, headers, _MEDIA_TYPE)


def _range(text: str, size: int) -> tuple[int, int] | None:
    """Start and end of one range of bytes (RFC 9110, 14.1.2); None when it can't be satisfied or read."""
    match = _RANGE.fullmatch(text.strip())
    if match is None or match.groups() == (None, None):
        return None
    first, last = match.groups()
    if first is None:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), size if last is None else min(size, int(last) + 1)
    return (start, end) if start < end else None
