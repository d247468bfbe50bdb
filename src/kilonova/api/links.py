"""Links: where a resource is, for programs that follow them (`self`) and for those that keep them (`bookmark`)."""

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.types import Scope

from kilonova.api.compute import Compute
from kilonova.web.call import Call

Link = dict[str, str]


@dataclass(frozen=True)
class Links:
    """The beginnings of all links of one reply. The project id is in them when it was in the request's own URL."""

    versioned: str
    """E.g. `http://cloud:8774/compute/v2.1`."""
    lasting: str
    """The same without the version."""

    def both(self, collection: str, identifier: object) -> list[Link]:
        """The `self` and `bookmark` links of one resource."""
        tail = f"/{collection}/{quote(str(identifier))}"
        return [{"rel": "self", "href": self.versioned + tail}, {"rel": "bookmark", "href": self.lasting + tail}]

    def bookmark(self, collection: str, identifier: object) -> list[Link]:
        """The `bookmark` link alone."""
        return [{"rel": "bookmark", "href": f"{self.lasting}/{collection}/{quote(str(identifier))}"}]

    def next(self, call: Call, marker: object) -> Link:
        """The link to the page after the one that ends with `marker`."""
        query = [(name, value) for name, value in call.query if name != "marker"]
        return {"rel": "next", "href": f"{self.versioned}{call.path}?{urlencode([*query, ('marker', str(marker))])}"}


def links(call: Call, compute: Compute) -> Links:
    """Where the links of this request's reply begin."""
    scope = call.request.scope
    mount, _, version = scope["root_path"].rpartition("/")
    root = mount_url(scope, compute, mount)
    project = scope.get("project_id")
    tail = f"/{project}" if project else ""
    return Links(f"{root}/{version}{tail}", root + tail)


def mount_url(scope: Scope, compute: Compute, mount: str) -> str:
    """Where the service is, without a version: `[api] link_prefix`, or what the client itself wrote."""
    if compute.link_prefix is not None:
        return compute.link_prefix.rstrip("/") + mount
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), None)
    if host is None:
        host = ":".join(str(part) for part in scope["server"] or ("localhost",))
    return f"{scope['scheme']}://{host}{mount}"
