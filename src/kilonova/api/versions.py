"""Version documents: what a client reads first (Compute API reference, "API Versions"). They need no token."""

from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from kilonova.api.compute import Compute
from kilonova.api.links import mount_url
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.shapes import LINKS, TEXT, TIME, gives, listed, obj
from kilonova.kernel.errors import NotFound
from kilonova.objects.history.api import API
from kilonova.web.call import Call, Reply

_ABOUT = {
    "v2": {
        "id": "v2.0",
        "status": "SUPPORTED",
        "version": "",
        "min_version": "",
        "updated": "2011-01-21T11:33:21Z",
    },
    "v2.1": {
        "id": "v2.1",
        "status": "CURRENT",
        "version": API.labels[-1],
        "min_version": API.labels[0],
        "updated": "2013-07-23T11:33:21Z",
    },
}


_VERSION = {"id": TEXT, "status": TEXT, "version": TEXT, "min_version": TEXT, "updated": TIME, "links": LINKS}
VERSION = obj({**_VERSION, "media-types": listed(obj({"base": TEXT, "type": TEXT}))})


class VersionList:
    """The ASGI application at the service's root: 200 with the versions at `/`, 300 with choices for what has no version."""

    def __init__(self, compute: Compute) -> None:
        """`compute` knows where links begin."""
        self._compute = compute

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer any request that names no version in its path."""
        url = mount_url(scope, self._compute, scope["root_path"])
        path = scope["path"].strip("/")
        if path:
            response = JSONResponse({"choices": [_choice(url, name, path) for name in _ABOUT]}, 300)
        else:
            response = JSONResponse({"versions": [_version(url, name) for name in _ABOUT]})
        await response(scope, receive, send)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The document of one version, at that version's own root and by its id."""

    async def show(call: Call) -> Reply:
        """Show this version of the API, with the microversions it has."""
        mount, _, name = call.request.scope["root_path"].rpartition("/")
        return described(call, mount, name)

    async def named(call: Call) -> Reply:
        """Show a version of the API by its id."""
        mount, _, _ = call.request.scope["root_path"].rpartition("/")
        ids = {about["id"]: name for name, about in _ABOUT.items()}
        if call.params["id"] not in ids:
            raise NotFound(kind="Version", id=call.params["id"][:100])
        return described(call, mount, ids[call.params["id"]])

    def described(call: Call, mount: str, name: str) -> Reply:
        document = _version(mount_url(call.request.scope, compute, mount), name)
        about = {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"}
        return Reply({"version": {**document, "links": [*document["links"], about], "media-types": _media(name)}})

    return [
        ComputeRoute(method="GET", path="/", handler=show, public=True, gives=gives({"version": VERSION})),
        ComputeRoute(
            method="GET",
            path="/versions/{id}",
            handler=named,
            query=Query(strict=None),
            gives=gives({"version": VERSION}),
        ),
    ]


def _version(url: str, name: str) -> dict[str, Any]:
    return {**_ABOUT[name], "links": [{"rel": "self", "href": f"{url}/{name}/"}]}


def _choice(url: str, name: str, path: str) -> dict[str, Any]:
    return {
        "id": _ABOUT[name]["id"],
        "status": _ABOUT[name]["status"],
        "links": [{"rel": "self", "href": f"{url}/{name}/{path}"}],
        "media-types": _media(name),
    }


def _media(name: str) -> list[dict[str, str]]:
    return [{"base": "application/json", "type": f"application/vnd.openstack.compute+json;version={name[1:]}"}]
