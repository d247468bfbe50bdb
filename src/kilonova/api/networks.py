"""Networks as they were told until 2.35 (API reference, "Networks" and "Project networks"): by the network service."""

from typing import Any

from kilonova.api.compute import Compute
from kilonova.api.passed_on import Document, Remote
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.server_access import is_admin
from kilonova.api.shapes import NULL, TEXT, UUID, WHOLE, gives, listed, obj, or_null
from kilonova.web.call import Call, Reply

UNTIL = "2.35"
KIND = "Network"
ANY_QUERY = Query(strict=None)
_FOR_ALL = (*("cidr", "netmask", "gateway", "broadcast", "dns1", "dns2", "cidr_v6", "gateway_v6", "netmask_v6"),)
_FOR_ADMINS = (
    *("created_at", "updated_at", "deleted_at", "deleted", "injected", "bridge", "vlan", "vpn_public_address"),
    *("vpn_public_port", "vpn_private_address", "dhcp_start", "project_id", "host", "bridge_interface", "multi_host"),
    *("priority", "rxtx_base", "mtu", "dhcp_server", "enable_dhcp", "share_address"),
)
"""What the networks of long ago had. Those of the network service have it in their subnets, or not at all: null."""

_SHOWN = obj(
    {
        "id": UUID,
        "label": TEXT,
        **dict.fromkeys(_FOR_ALL, NULL),
        **{f"{name}?": NULL for name in _FOR_ADMINS if name not in {"project_id", "mtu"}},
        "project_id?": TEXT,
        "mtu?": or_null(WHOLE),
    }
)
_BRIEF = obj({"id": UUID, "label": TEXT, "cidr": TEXT})


class Networks:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """The networks that the caller may use."""
        self._enforce(call, "os-networks:list")
        return Reply({"networks": [self._told(call, network) for network in await self._usable(call)]})

    async def show(self, call: Call) -> Reply:
        """One of them."""
        self._enforce(call, "os-networks:show")
        return Reply({"network": self._told(call, await self._one(call))})

    async def project_index(self, call: Call) -> Reply:
        """The same, with no more than an id and a name."""
        self._enforce(call, "os-tenant-networks:list")
        return Reply({"networks": [_brief(network) for network in await self._usable(call)]})

    async def project_show(self, call: Call) -> Reply:
        """One of them."""
        self._enforce(call, "os-tenant-networks:show")
        return Reply({"network": _brief(await self._one(call))})

    @property
    def _network(self) -> Remote:
        return Remote(self._compute.network_api, "/v2.0")

    async def _usable(self, call: Call) -> list[Document]:
        """The project's own networks and the shared ones; all for administrators."""
        found: list[Document] = (await self._network.ask(call, "GET", "/networks", kind=KIND))["networks"]
        if is_admin(call.user, self._compute):
            return found
        return [one for one in found if one["shared"] or one["project_id"] == call.user.project_id]

    async def _one(self, call: Call) -> Document:
        found: Document = (await self._network.one(call, "/networks", call.params["id"], kind=KIND))["network"]
        return found

    def _told(self, call: Call, network: Document) -> Document:
        told: dict[str, Any] = {"id": network["id"], "label": network["name"], **dict.fromkeys(_FOR_ALL)}
        if is_admin(call.user, self._compute):
            known = {"project_id": network["project_id"], "mtu": network.get("mtu")}
            told |= {**dict.fromkeys(_FOR_ADMINS), **known}
        return told

    def _enforce(self, call: Call, rule: str) -> None:
        self._compute.policy.enforce("os_compute_api:" + rule, call.user, {"project_id": call.user.project_id})


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of networks."""
    networks = Networks(compute)
    handlers = {
        "/os-networks": (networks.index, gives({"networks": listed(_SHOWN)})),
        "/os-networks/{id}": (networks.show, gives({"network": _SHOWN})),
        "/os-tenant-networks": (networks.project_index, gives({"networks": listed(_BRIEF)})),
        "/os-tenant-networks/{id}": (networks.project_show, gives({"network": _BRIEF})),
    }
    return [
        ComputeRoute(method="GET", path=path, handler=handler, until=UNTIL, query=ANY_QUERY, gives=answers)
        for path, (handler, answers) in handlers.items()
    ]


def _brief(network: Document) -> Document:
    return {"id": network["id"], "label": network["name"], "cidr": "None"}
