"""What clients ask before they ask for anything: versions, extensions, zones and agents."""

from collections.abc import Sequence

from kilonova.standalone.network.collection import Collection, base_url
from kilonova.standalone.network.errors import ExtensionNotFound
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

_EXTENSIONS = {
    "binding": "Port Binding: host, interface type and profile of ports",
    "allowed-address-pairs": "Allowed Address Pairs: further addresses that a port may use",
    "external-net": "Neutron external network: a mark for networks that lead outside",
    "filter-validation": "Filter parameters validation: an unknown filter is an error",
    "net-mtu": "Network MTU",
    "net-mtu-writable": "Network MTU (writable)",
    "pagination": "Pagination support",
    "port-security": "Port Security",
    "project-id": "project_id field enabled",
    "provider": "Provider Network",
    "quota-check-limit-default": "Quota engine limit check: a limit below what is used needs force",
    "quotas": "Quota management support",
    "quota_details": "Quota details management support",
    "security-group": "security-group",
    "security-groups-normalized-cidr": "Normalized CIDR field for security group rules",
    "sorting": "Sorting support",
    "standard-attr-description": "standard-attr-description",
    "standard-attr-revisions": "Resource revision numbers",
    "standard-attr-tag": "Tag support for resources with standard attribute",
    "standard-attr-timestamp": "Resource timestamps",
}
"""Aliases of the extensions that there are, and their names. What is not here is not there."""

_UPDATED = "2015-04-30T00:00:00-00:00"


class Discovery:
    """Requests about the service itself."""

    def __init__(self, collections: Sequence[Collection]) -> None:
        """`collections` are what the version's document lists."""
        self._collections = collections

    def routes(self) -> list[Route]:
        """The service's own routes."""
        return [
            Route(method="GET", path="/", handler=self.versions, public=True),
            Route(method="GET", path="/v2.0", handler=self.resources, public=True),
            Route(method="GET", path="/v2.0/extensions", handler=self.extensions),
            Route(method="GET", path="/v2.0/extensions/{alias}", handler=self.extension),
            Route(method="GET", path="/v2.0/availability_zones", handler=self.availability_zones),
            Route(method="GET", path="/v2.0/agents", handler=self.agents),
        ]

    async def versions(self, call: Call) -> Reply:
        """GET the versions: there is one."""
        link = {"rel": "self", "href": f"{base_url(call)}/v2.0/"}
        return Reply({"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]})

    async def resources(self, call: Call) -> Reply:
        """GET the kinds of resources of the version."""
        found = []
        for collection in self._collections:
            link = {"rel": "self", "href": f"{base_url(call)}{collection.path}"}
            found.append({"name": collection.kind, "collection": collection.plural, "links": [link]})
        return Reply({"resources": found})

    async def extensions(self, _call: Call) -> Reply:
        """GET all extensions."""
        return Reply({"extensions": [_extension(alias) for alias in _EXTENSIONS]})

    async def extension(self, call: Call) -> Reply:
        """GET one extension."""
        alias = call.params["alias"]
        if alias not in _EXTENSIONS:
            raise ExtensionNotFound(id=alias[:80])
        return Reply({"extension": _extension(alias)})

    async def availability_zones(self, _call: Call) -> Reply:
        """GET the network availability zones: there are none, for nothing here runs on network hosts."""
        return Reply({"availability_zones": []})

    async def agents(self, _call: Call) -> Reply:
        """GET the network agents: there are none."""
        return Reply({"agents": []})


def _extension(alias: str) -> dict[str, object]:
    name, _, more = _EXTENSIONS[alias].partition(": ")
    return {"alias": alias, "name": name, "description": more or name, "updated": _UPDATED, "links": []}
