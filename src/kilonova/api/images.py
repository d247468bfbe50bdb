"""Images, until 2.35 (API reference, "Images"): told by the image service in this API's old words."""

from collections.abc import Mapping

from kilonova.api.compute import Compute
from kilonova.api.links import links
from kilonova.api.paging import Page, page
from kilonova.api.passed_on import Document, Remote
from kilonova.api.query import Asked, ComputeRoute, Query
from kilonova.api.shapes import LINKS, NO_BODY, TEXT, UUID, WHOLE, Gives, by_key, gives, listed, obj, or_null, words
from kilonova.clients.image_document import image_of
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Doc
from kilonova.objects.image import Image
from kilonova.web.call import Call, Reply

UNTIL = "2.35"
KIND = "Image"
PATH = "/images"
ANY_QUERY = Query(strict=None)
_PROPERTY = "property-"
_NAMES = (
    *(
        "changes-since",
        "limit",
        "marker",
        "minDisk",
        "minRam",
        "name",
        "offset",
        "page_size",
        "server",
        "status",
        "type",
    ),
)
LIST = Query(names=_NAMES, strict=None)
_STATUSES = {
    "active": "ACTIVE",
    "queued": "SAVING",
    "saving": "SAVING",
    "importing": "SAVING",
    "uploading": "SAVING",
    "deleted": "DELETED",
    "pending_delete": "DELETED",
    "killed": "ERROR",
}
_PROGRESS = {"queued": 25, "saving": 50, "importing": 50, "uploading": 50, "active": 100}
_FILTERS = {"name": "name", "minDisk": "min_disk", "minRam": "min_ram", "type": "image_type"}
DISK_CONFIG = "auto_disk_config"
SERVER = "instance_uuid"
_SHORT = {"id": UUID, "name": or_null(TEXT), "links": LINKS}
_IMAGE = obj(
    {
        **_SHORT,
        **dict.fromkeys(("minRam", "minDisk", "progress", "OS-EXT-IMG-SIZE:size"), WHOLE),
        **dict.fromkeys(("created", "updated"), TEXT),
        "status": words(*_STATUSES.values(), "UNKNOWN"),
        "metadata": by_key(TEXT),
        "server?": obj({"id": TEXT, "links": LINKS}),
        "OS-DCF:diskConfig?": words("AUTO", "MANUAL"),
    }
)


def _listed(image: Schema) -> tuple[Gives, ...]:
    return gives({"images": listed(image), "images_links?": LINKS})


class Images:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """The images that the caller may use, by id and name."""
        return await self._list(call, detailed=False)

    async def detail(self, call: Call) -> Reply:
        """The same in full."""
        return await self._list(call, detailed=True)

    async def show(self, call: Call) -> Reply:
        """One image."""
        found = await self._images.one(call, PATH, call.params["id"], kind=KIND)
        return Reply({"image": self._told(call, image_of(found))})

    async def delete(self, call: Call) -> Reply:
        """Delete one."""
        await self._images.one(call, PATH, call.params["id"], kind=KIND, method="DELETE")
        return Reply()

    @property
    def _images(self) -> Remote:
        return Remote(self._compute.image_api, "/v2")

    async def _list(self, call: Call, *, detailed: bool) -> Reply:
        asked = LIST.read(call)
        wanted = page(asked, self._compute)
        found = await self._images.ask(call, "GET", PATH, kind=KIND, params=_params(call, asked, wanted))
        images = [image_of(one) for one in found["images"]]
        told: Doc = {"images": [self._told(call, one) if detailed else self._brief(call, one) for one in images]}
        if images and found.get("next"):
            told["images_links"] = [links(call, self._compute).next(call, images[-1].id)]
        return Reply(told)

    def _brief(self, call: Call, image: Image) -> Doc:
        starts = links(call, self._compute)
        alternate = {
            "rel": "alternate",
            "type": "application/vnd.openstack.image",
            "href": f"{starts.lasting}/images/{image.id}",
        }
        return {"id": image.id, "name": image.name, "links": [*starts.both("images", image.id), alternate]}

    def _told(self, call: Call, image: Image) -> Doc:
        doc = {
            **self._brief(call, image),
            "minRam": image.min_ram,
            "minDisk": image.min_disk,
            "metadata": image.properties,
            "created": image.created_at,
            "updated": image.updated_at,
            "status": _STATUSES.get(image.status, "UNKNOWN"),
            "progress": _PROGRESS.get(image.status, 0),
            "OS-EXT-IMG-SIZE:size": image.size or 0,
        }
        server_id = image.properties.get(SERVER)
        if server_id:
            doc["server"] = {"id": server_id, "links": links(call, self._compute).both("servers", server_id)}
        if DISK_CONFIG in image.properties:
            automatic = image.properties[DISK_CONFIG].lower() in {"true", "1", "yes", "on"}
            doc["OS-DCF:diskConfig"] = "AUTO" if automatic else "MANUAL"
        return doc


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of images."""
    images, one = Images(compute), "/images/{id}"
    return [
        ComputeRoute(
            method="GET", path="/images", handler=images.index, until=UNTIL, query=LIST, gives=_listed(obj(_SHORT))
        ),
        ComputeRoute(
            method="GET", path="/images/detail", handler=images.detail, until=UNTIL, query=LIST, gives=_listed(_IMAGE)
        ),
        ComputeRoute(
            method="GET", path=one, handler=images.show, until=UNTIL, query=ANY_QUERY, gives=gives({"image": _IMAGE})
        ),
        ComputeRoute(method="DELETE", path=one, handler=images.delete, until=UNTIL, success=204, gives=NO_BODY),
    ]


def _params(call: Call, asked: Asked, wanted: Page) -> Mapping[str, str]:
    """The same question in the image service's words."""
    params: Document = {theirs: asked.one(ours) for ours, theirs in _FILTERS.items()}
    status = asked.one("status")
    if status is not None:
        params["status"] = next((theirs for theirs, ours in _STATUSES.items() if ours == status.upper()), "none")
    since = asked.one("changes-since")
    if since is not None:
        params["updated_at"] = f"gte:{since}"
    server = asked.one("server")
    if server is not None:
        params[SERVER] = server.rstrip("/").rpartition("/")[2]
    params |= {
        name.removeprefix(_PROPERTY): value
        for name, value in call.query
        if name.startswith(_PROPERTY) and name != _PROPERTY
    }
    params |= {"limit": str(wanted.limit), "marker": wanted.marker}
    return {name: value for name, value in params.items() if value is not None}
