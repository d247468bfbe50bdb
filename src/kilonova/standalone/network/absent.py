"""What Neutron has and this service does not have yet: answered with a 404 that says so."""

from kilonova.standalone.network.errors import NotThere
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

ABSENT = {
    "address-groups": "address groups",
    "address-scopes": "address scopes",
    "default-security-group-rules": "rules of default security groups",
    "flavors": "flavors of network services",
    "floatingips": "floating IPs",
    "local_ips": "local IPs",
    "log": "logging resources",
    "metering": "metering labels",
    "network-ip-availabilities": "IP availabilities of networks",
    "network_segment_ranges": "ranges of network segments",
    "qos": "quality-of-service policies",
    "ndp_proxies": "NDP proxies",
    "rbac-policies": "role-based access policies",
    "routers": "routers",
    "segments": "network segments",
    "service-providers": "providers of network services",
    "subnetpools": "subnet pools",
    "trunks": "trunks",
    "vpn": "virtual private networks",
}
"""First segment of a path below the version: what it would be."""


def routes() -> list[Route]:
    """A refusal for everything under these paths."""
    return [
        Route(method=method, path=f"/v2.0/{segment}{below}", handler=_refuse)
        for segment in ABSENT
        for below in ("", "/{id}", "/{id}/{what}", "/{id}/{what}/{other}")
        for method in ("GET", "POST", "PUT", "DELETE")
    ]


async def _refuse(call: Call) -> Reply:
    what = ABSENT[call.path.split("/")[2]]
    raise NotThere(collection=what[0].upper() + what[1:])
