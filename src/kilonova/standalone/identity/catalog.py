"""The catalog (Identity API v3, "Service catalog and endpoints"): services, endpoints and the region, read-only."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from kilonova.standalone.identity.context import CatalogEntry, Context, refuse
from kilonova.standalone.identity.store import Missing
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

INTERFACES = ("public", "internal", "admin")
"""Every service answers all three at one URL."""

Document = Mapping[str, Any]

_read_only = refuse("The catalog follows from the cloud's configuration and can't be changed here.")
_FILTERS = {
    "services": ("type", "name", "enabled"),
    "endpoints": ("service_id", "interface", "region_id", "enabled"),
    "regions": ("parent_region_id",),
}


class Catalog:
    """Services, endpoints and regions, derived from the context's entries."""

    def __init__(self, context: Context) -> None:
        """Derive the documents once."""
        self._context = context
        services = [self._service(entry) for entry in context.catalog]
        endpoints = [self._endpoint(entry, interface) for entry in context.catalog for interface in INTERFACES]
        self._documents: Mapping[str, Sequence[Document]] = {
            "services": services,
            "endpoints": endpoints,
            "regions": [self._region()],
        }
        self._catalog = [self._entry(service, endpoints) for service in services]

    def document(self) -> Sequence[Document]:
        """The catalog as tokens bring it along."""
        return self._catalog

    def routes(self) -> Sequence[Route]:
        """Lists and single documents of the three kinds."""
        routes: list[Route] = []
        for kind in self._documents:
            one = f"/v3/{kind}/{{id}}"
            routes += (
                Route(method="GET", path=f"/v3/{kind}", handler=self.list),
                Route(method="GET", path=one, handler=self.show),
                Route(method="POST", path=f"/v3/{kind}", handler=_read_only),
                Route(method="PATCH", path=one, handler=_read_only),
                Route(method="DELETE", path=one, handler=_read_only),
            )
        return routes

    async def list(self, call: Call) -> Reply:
        """GET /v3/services, /v3/endpoints, /v3/regions."""
        kind = _kind(call)
        self._context.enforce(call, f"list_{kind}")
        return self._context.listing(call, kind, self._documents[kind], *_FILTERS[kind])

    async def show(self, call: Call) -> Reply:
        """GET one of them by id."""
        kind = _kind(call)
        self._context.enforce(call, f"get_{kind[:-1]}")
        for document in self._documents[kind]:
            if document["id"] == call.params["id"]:
                return Reply({kind[:-1]: document})
        raise Missing(kind=kind[:-1], id=call.params["id"])

    def _service(self, entry: CatalogEntry) -> Document:
        id_ = _stable_id(entry.type)
        links = {"self": self._context.link(f"services/{id_}")}
        return {"id": id_, "type": entry.type, "name": entry.name, "enabled": True, "links": links}

    def _endpoint(self, entry: CatalogEntry, interface: str) -> Document:
        id_ = _stable_id(f"{entry.type} {interface}")
        region = self._context.region
        return {
            "id": id_,
            "interface": interface,
            "region_id": region,
            "region": region,
            "service_id": _stable_id(entry.type),
            "url": entry.url,
            "enabled": True,
            "links": {"self": self._context.link(f"endpoints/{id_}")},
        }

    def _region(self) -> Document:
        region = self._context.region
        links = {"self": self._context.link(f"regions/{region}")}
        return {"id": region, "description": "", "parent_region_id": None, "links": links}

    def _entry(self, service: Document, endpoints: Sequence[Document]) -> Document:
        shown = ("id", "interface", "region_id", "region", "url")
        own = [
            {name: endpoint[name] for name in shown}
            for endpoint in endpoints
            if endpoint["service_id"] == service["id"]
        ]
        return {"id": service["id"], "type": service["type"], "name": service["name"], "endpoints": own}


def _kind(call: Call) -> str:
    return call.path.split("/")[2]


def _stable_id(text: str) -> str:
    """An id in Keystone's form that is the same after every start."""
    return sha256(text.encode()).hexdigest()[:32]
