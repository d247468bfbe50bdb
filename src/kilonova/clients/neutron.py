"""Neutron's client: `Networks` over the Networking API v2.0."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kilonova.clients.session import ServiceSession, message_of
from kilonova.kernel.errors import Conflict, Invalid, KilonovaError, NotAuthenticated, NotFound, OverLimit, Unavailable
from kilonova.kernel.ids import ProjectId
from kilonova.objects.caller import Caller
from kilonova.objects.port import FixedIp, Network, Port, PortRequest, SecurityGroup, Subnet

if TYPE_CHECKING:
    import httpx

Document = Mapping[str, Any]


class NetworkRefusal(Conflict):
    """The network service refuses: {reason}"""

    code = "network-refusal"


class NetworkBadRequest(Invalid):
    """The network service can't do that: {reason}"""

    code = "network-bad-request"


class NetworkOverQuota(OverLimit):
    """{reason}"""

    code = "network-over-quota"


class PortTaken(Conflict):
    """Port {id} already belongs to {device}."""

    code = "port-taken"


class PortNotBound(Conflict):
    """The network service can't connect port {id} to host {host}."""

    code = "port-not-bound"


class NeutronNetworks:
    """Implements `Networks` on Neutron, or on any service that speaks its API."""

    def __init__(self, session: ServiceSession) -> None:
        """`session` logs in with a service account that may bind ports: the `admin` or `service` role."""
        self._session = session

    async def networks_available(self, caller: Caller) -> Sequence[Network]:
        """See `Networks.networks_available`. Two questions, since an administrator's list would show every project's."""
        own = await self._list("networks", {"project_id": caller.project_id}, caller)
        shared = await self._list("networks", {"shared": True}, caller)
        found = {document["id"]: _network(document) for document in (*own, *shared)}
        return sorted(found.values(), key=lambda network: (network.name, network.id))

    async def network_get(self, caller: Caller, network_id: str) -> Network:
        """See `Networks.network_get`."""
        return _network(await self._get("network", network_id, caller))

    async def port_get(self, caller: Caller, port_id: str) -> Port:
        """See `Networks.port_get`. Read in the service's name, which sees the binding; whose port it is, is checked here."""
        await self._get("port", port_id, caller)
        return _port(await self._get("port", port_id, None))

    async def security_groups(self, caller: Caller) -> Sequence[SecurityGroup]:
        """See `Networks.security_groups`. Neutron makes the default group when its groups are listed."""
        found = await self._list("security-groups", {"project_id": caller.project_id}, caller)
        groups = [
            SecurityGroup(id=one["id"], name=one["name"], project_id=ProjectId(one["project_id"])) for one in found
        ]
        return sorted(groups, key=lambda group: (group.name, group.id))

    async def network(self, network_id: str) -> Network:
        """See `Networks.network`."""
        return _network(await self._get("network", network_id, None))

    async def subnets(self, network_id: str) -> Sequence[Subnet]:
        """See `Networks.subnets`."""
        found = await self._list("subnets", {"network_id": network_id})
        return [_subnet(one) for one in sorted(found, key=lambda one: (one.get("created_at", ""), one["id"]))]

    async def ports_of(self, server_id: str) -> Sequence[Port]:
        """See `Networks.ports_of`."""
        found = await self._list("ports", {"device_id": server_id})
        return sorted((_port(one) for one in found), key=lambda port: port.id)

    async def ports_page(self, marker: str = "", limit: int = 500) -> Sequence[Port]:
        """See `Networks.ports_page`."""
        order = {"sort_key": "id", "sort_dir": "asc", "limit": limit}
        return [_port(one) for one in await self._list("ports", order | ({"marker": marker} if marker else {}))]

    async def port_create(self, request: PortRequest) -> Port:
        """See `Networks.port_create`. Not repeated by itself: the caller looks for the description first."""
        port: dict[str, Any] = {
            "project_id": request.project_id,
            "network_id": request.network_id,
            "description": request.description,
            **_bound_to(request.server_id, request.host, request.zone),
        }
        if request.fixed_ip is not None:
            port["fixed_ips"] = [{"ip_address": request.fixed_ip}]
        if request.security_group_ids:
            port["security_groups"] = list(request.security_group_ids)
        response = await self._session.post("network", "/v2.0/ports", json={"port": port})
        made = _port(_answer(response, "port", request.network_id))
        if made.vif_type == "binding_failed":
            await self.port_delete(made.id)
            raise PortNotBound(id=made.id, host=request.host)
        return made

    async def port_bind(self, port_id: str, *, server_id: str, host: str, zone: str) -> Port:
        """See `Networks.port_bind`."""
        present = await self._get("port", port_id, None)
        if present["device_id"] not in {"", server_id}:
            raise PortTaken(id=port_id, device=present["device_id"])
        given = _bound_to(server_id, host, zone)
        response = await self._session.put("network", _port_path(port_id), json={"port": given})
        bound = _port(_answer(response, "port", port_id))
        if bound.vif_type == "binding_failed":
            raise PortNotBound(id=port_id, host=host)
        return bound

    async def port_unbind(self, port_id: str) -> None:
        """See `Networks.port_unbind`."""
        empty = {"device_id": "", "device_owner": "", "binding:host_id": ""}
        response = await self._session.put("network", _port_path(port_id), json={"port": empty})
        if response.status_code != 404:
            _answer(response, "port", port_id)

    async def port_delete(self, port_id: str) -> None:
        """See `Networks.port_delete`."""
        response = await self._session.delete("network", _port_path(port_id))
        if response.status_code not in {204, 404}:
            raise _refusal(response, "Port", port_id)

    async def close(self) -> None:
        """See `Networks.close`."""
        await self._session.close()

    async def _list(self, collection: str, filters: Mapping[str, Any], caller: Caller | None = None) -> list[Document]:
        response = await self._ask(f"/v2.0/{collection}", caller, filters)
        found: list[Document] = _answer(response, collection.replace("-", "_"), "")
        return found

    async def _get(self, kind: str, resource_id: str, caller: Caller | None) -> Document:
        response = await self._ask(f"/v2.0/{kind}s/{quote(resource_id, safe='')}", caller, {})
        found: Document = _answer(response, kind, resource_id)
        return found

    async def _ask(self, path: str, caller: Caller | None, filters: Mapping[str, Any]) -> "httpx.Response":
        token = caller.token if caller is not None else None
        response = await self._session.get("network", path, params=filters, token=token)
        if response.status_code == 401 and caller is not None:
            raise NotAuthenticated
        return response


def _bound_to(server_id: str, host: str, zone: str) -> dict[str, str]:
    return {"device_id": server_id, "device_owner": f"compute:{zone}", "binding:host_id": host}


def _port_path(port_id: str) -> str:
    return f"/v2.0/ports/{quote(port_id, safe='')}"


def _answer(response: "httpx.Response", key: str, asked: str) -> Any:
    """What a good answer holds; otherwise raise what the refusal means."""
    if response.status_code >= 300:
        raise _refusal(response, key.capitalize(), asked)
    return response.json()[key]


def _refusal(response: "httpx.Response", kind: str, asked: str) -> KilonovaError:
    reason = message_of(response)
    status = response.status_code
    if status == 404:
        return NotFound(kind=kind, id=asked)
    if status == 409 and _type(response) == "OverQuota":
        return NetworkOverQuota(reason=reason)
    if status == 409:
        return NetworkRefusal(reason=reason)
    if status in {401, 403}:
        return Unavailable(service="the network service", reason=f"it refused: {reason}")
    return NetworkBadRequest(reason=reason)


def _type(response: "httpx.Response") -> str:
    """Neutron's name for an error."""
    error = response.json().get("NeutronError")
    return str(error.get("type", "")) if isinstance(error, dict) else ""


def _network(document: Document) -> Network:
    return Network(
        id=document["id"],
        name=document["name"],
        project_id=ProjectId(document["project_id"]),
        shared=document["shared"],
        admin_state_up=document["admin_state_up"],
        external=document.get("router:external", False),
        mtu=document.get("mtu") or 1500,
        subnet_ids=tuple(document["subnets"]),
    )


def _subnet(document: Document) -> Subnet:
    return Subnet(
        id=document["id"],
        network_id=document["network_id"],
        version=document["ip_version"],
        cidr=document["cidr"],
        gateway=document["gateway_ip"],
        dns=tuple(document["dns_nameservers"]),
        dhcp=document["enable_dhcp"],
    )


def _port(document: Document) -> Port:
    fixed_ips = [FixedIp(subnet_id=one["subnet_id"], address=one["ip_address"]) for one in document["fixed_ips"]]
    return Port(
        id=document["id"],
        network_id=document["network_id"],
        project_id=ProjectId(document["project_id"]),
        name=document["name"],
        description=document.get("description", ""),
        mac=document["mac_address"],
        status=document["status"],
        admin_state_up=document["admin_state_up"],
        device_id=document["device_id"],
        device_owner=document["device_owner"],
        fixed_ips=tuple(fixed_ips),
        security_group_ids=tuple(document["security_groups"]),
        host=document.get("binding:host_id", ""),
        vif_type=document.get("binding:vif_type", ""),
        vnic_type=document.get("binding:vnic_type", "normal"),
        tags=tuple(document.get("tags", ())),
    )
