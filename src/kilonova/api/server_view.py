"""How a server is told: the newest shape built once, then told at the caller's version (API reference, "Show server details").

Design notes. A list of a thousand servers pays for every key a thousand times, so what does not differ between servers (the
caller's rights, the level, where links begin) is settled once in a `ServerView`, and one plain dictionary is built for each.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from kilonova.api import times
from kilonova.api.compute import Compute
from kilonova.api.links import Links, links
from kilonova.kernel.errors import NotFound, Unavailable
from kilonova.kernel.ids import HostName
from kilonova.kernel.versions import Doc, Level
from kilonova.objects.caller import Caller
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import PowerState
from kilonova.objects.host import Host
from kilonova.objects.server import Nic, Server
from kilonova.objects.server_query import DownServer
from kilonova.web.call import Call
from kilonova.web.policy import Policy

_SHOWS_PROGRESS = frozenset({"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})
_SHOWS_FAULT = frozenset({"ERROR", "DELETED"})


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What of a server the caller may see."""

    extended: bool
    """Host, instance name, user data and the like (`OS-EXT-SRV-ATTR:*`)."""
    extra_specs: bool
    host_status: bool
    unknown_host_status: bool
    """Only whether the host's status is unknown."""


def rights_of(caller: Caller, policy: Policy) -> Rights:
    """The rights that policy gives `caller`."""
    return Rights(
        extended=policy.allows("os_compute_api:os-extended-server-attributes", caller),
        extra_specs=policy.allows("os_compute_api:servers:show:flavor-extra-specs", caller),
        host_status=policy.allows("os_compute_api:servers:show:host_status", caller),
        unknown_host_status=policy.allows("os_compute_api:servers:show:host_status:unknown-only", caller),
    )


def host_status(host: Host, now: float) -> str:
    """The status that administrators see of the host of a server."""
    if host.forced_down:
        return "DOWN"
    if not host.enabled:
        return "MAINTENANCE"
    return "UP" if host.up(now) else "UNKNOWN"


async def view_for(call: Call, compute: Compute, servers: Sequence[Server] = ()) -> "ServerView":
    """The view of `servers` for the caller of `call`, at its level; none are needed for summaries."""
    rights = rights_of(call.user, compute.policy)
    statuses: Mapping[HostName, str] = {}
    if (rights.host_status or rights.unknown_host_status) and call.version.has("server-host-status"):
        names = {server.host: None for server in servers if server.host is not None}
        statuses = await _host_statuses(compute, list(names))
    return ServerView(call.version, links(call, compute), rights, statuses)


async def _host_statuses(compute: Compute, names: Sequence[HostName]) -> Mapping[HostName, str]:
    """The status of each host by name: one asked for alone, several together."""
    now = compute.runtime.now()
    if len(names) > 1:
        return {host.name: host_status(host, now) for host in await compute.hosts.all()}
    try:
        return {name: host_status(await compute.hosts.get(name), now) for name in names}
    except (NotFound, Unavailable):
        return {}


class ServerView:
    """Tells servers to one caller at one level."""

    def __init__(
        self,
        level: Level,
        links: Links,
        rights: Rights,
        host_statuses: Mapping[HostName, str] | None = None,
    ) -> None:
        """`host_statuses` by host, where the caller may see them; see `host_status`."""
        self._level = level
        self._rights = rights
        self._statuses = host_statuses or {}
        self._own = f"{links.versioned}/servers/"
        self._bookmark = f"{links.lasting}/servers/"
        self._flavors = f"{links.lasting}/flavors/"
        self._images = f"{links.lasting}/images/"
        self._flavor: Callable[[Flavor], Doc] = (
            self._flavor_embedded if level.has("server-flavor-embedded") else self._flavor_reference
        )
        self._hostname_for_all = level.has("server-hostname-for-all")
        self._shows_groups = level.has("server-groups-shown")
        self.shows_down_cells = level.has("server-down-cells")
        """Whether servers of cells that do not answer are shown."""

    def summary(self, server: Server) -> Doc:
        """A server in `GET /servers`."""
        return {"id": server.id, "name": server.name, "links": self._links(server.id)}

    def detail(self, server: Server) -> Doc:
        """A server in `GET /servers/detail`."""
        return self._level.down("server", self._newest(server))

    def show(self, server: Server) -> Doc:
        """A server in `GET /servers/{id}`, with what only one server at a time shows."""
        doc = self._newest(server)
        doc["server_groups"] = [] if server.group_id is None else [server.group_id]
        return self._level.down("server", doc)

    def updated(self, server: Server) -> Doc:
        """A server in the answer to an update."""
        return self._level.down("server_updated", self.show(server))

    def summary_down(self, server: DownServer) -> Doc:
        """A server in `GET /servers` whose cell does not answer."""
        return {"id": server.id, "status": "UNKNOWN", "links": self._links(server.id)}

    def detail_down(self, server: DownServer) -> Doc:
        """A server in `GET /servers/detail` whose cell does not answer (API guide, "Handling down cells")."""
        return {
            **self.summary_down(server),
            "tenant_id": server.project_id,
            "created": times.second(server.created_at),
        }

    def show_down(self, server: DownServer) -> Doc:
        """A server in `GET /servers/{id}` whose cell does not answer; what an older version did not keep is left out."""
        doc = {
            **self.detail_down(server),
            "user_id": server.user_id,
            "OS-EXT-AZ:availability_zone": server.availability_zone or "",
            "OS-EXT-STS:power_state": PowerState.NOSTATE,
        }
        if server.flavor is not None:
            doc["flavor"] = self._flavor_embedded(server.flavor)
            doc["image"] = "" if server.image_id is None else self._image_reference(server.image_id)
        if self._shows_groups:
            doc["server_groups"] = [] if server.group_id is None else [server.group_id]
        return doc

    def _newest(self, server: Server) -> Doc:
        status = server.status
        doc: dict[str, Any] = {
            "id": server.id,
            "name": server.name,
            "status": status,
            "tenant_id": server.project_id,
            "user_id": server.user_id,
            "metadata": server.metadata,
            "hostId": "" if server.host is None else host_id(server.project_id, server.host),
            "image": self._image(server),
            "flavor": self._flavor(server.flavor),
            "created": times.second(server.created_at),
            "updated": times.second(server.updated_at),
            "addresses": addresses(server.nics),
            "accessIPv4": server.access_ip_v4,
            "accessIPv6": server.access_ip_v6,
            "links": self._links(server.id),
            "OS-DCF:diskConfig": server.disk_config,
            "OS-EXT-AZ:availability_zone": server.availability_zone or "",
            "config_drive": "True" if server.config_drive else "",
            "key_name": server.key_name,
            "OS-SRV-USG:launched_at": times.micro(server.launched_at),
            "OS-SRV-USG:terminated_at": times.micro(server.deleted_at),
            "OS-EXT-STS:task_state": server.task_state,
            "OS-EXT-STS:vm_state": server.vm_state,
            "OS-EXT-STS:power_state": server.power_state,
            "os-extended-volumes:volumes_attached": [
                {"id": volume.guest.volume_id, "delete_on_termination": volume.delete_on_termination}
                for volume in server.volumes
            ],
            "locked": server.locked,
            "locked_reason": server.locked_reason,
            "description": server.description,
            "tags": server.tags,
            "trusted_image_certificates": server.trusted_certs,
            "pinned_availability_zone": server.pinned_availability_zone,
            "scheduler_hints": server.hints,
        }
        if server.security_groups:
            doc["security_groups"] = [{"name": name} for name in server.security_groups]
        if status in _SHOWS_PROGRESS:
            doc["progress"] = server.progress
        if server.fault is not None and status in _SHOWS_FAULT:
            doc["fault"] = self._fault(server)
        if self._rights.extended:
            _add_extended(doc, server)
        elif self._hostname_for_all:
            doc["OS-EXT-SRV-ATTR:hostname"] = server.hostname
        if self._rights.host_status or self._rights.unknown_host_status:
            self._add_host_status(doc, server)
        return doc

    def _links(self, server_id: str) -> list[Doc]:
        return [
            {"rel": "self", "href": self._own + server_id},
            {"rel": "bookmark", "href": self._bookmark + server_id},
        ]

    def _image(self, server: Server) -> Doc | str:
        if server.image_id is None:
            return ""
        return {**self._image_reference(server.image_id), "properties": server.image_properties}

    def _image_reference(self, image_id: str) -> Doc:
        return {"id": image_id, "links": [{"rel": "bookmark", "href": self._images + image_id}]}

    def _flavor_embedded(self, flavor: Flavor) -> Doc:
        doc: Doc = {
            "vcpus": flavor.vcpus,
            "ram": flavor.memory_mb,
            "disk": flavor.disk_gb,
            "ephemeral": flavor.ephemeral_gb,
            "swap": flavor.swap_mb,
            "original_name": flavor.name,
        }
        if self._rights.extra_specs:
            doc["extra_specs"] = flavor.extra_specs
        return doc

    def _flavor_reference(self, flavor: Flavor) -> Doc:
        return {"id": flavor.id, "links": [{"rel": "bookmark", "href": self._flavors + quote(flavor.id)}]}

    def _fault(self, server: Server) -> Doc:
        fault = server.fault
        assert fault is not None
        doc: Doc = {"code": fault.code, "created": times.second(fault.created_at), "message": fault.message}
        if fault.details and (self._rights.extended or fault.code != 500):
            doc["details"] = fault.details
        return doc

    def _add_host_status(self, doc: Doc, server: Server) -> None:
        status = "" if server.host is None else self._statuses.get(server.host, "UNKNOWN")
        if self._rights.host_status or status == "UNKNOWN":
            doc["host_status"] = status


@lru_cache(maxsize=4096)
def host_id(project_id: str, host: str) -> str:
    """What a project's users see of a host: always the same for the two, and nothing that leads back to the host."""
    return hashlib.sha224(f"{project_id}{host}".encode()).hexdigest()


def addresses(nics: tuple[Nic, ...]) -> dict[str, list[Doc]]:
    """The addresses of a server by the names of its networks."""
    by_network: dict[str, list[Doc]] = {}
    for nic in nics:
        by_network.setdefault(nic.network_name, []).extend(
            {
                "version": address.version,
                "addr": address.address,
                "OS-EXT-IPS:type": address.kind,
                "OS-EXT-IPS-MAC:mac_addr": nic.mac,
            }
            for address in nic.addresses
        )
    return by_network


def instance_name(server_id: str) -> str:
    """The name of a server's guest that administrators see (`OS-EXT-SRV-ATTR:instance_name`)."""
    return f"instance-{server_id[:8]}"


def _add_extended(doc: Doc, server: Server) -> None:
    prefix = "OS-EXT-SRV-ATTR:"
    doc[prefix + "host"] = server.host
    doc[prefix + "hypervisor_hostname"] = server.host
    doc[prefix + "instance_name"] = instance_name(server.id)
    doc[prefix + "reservation_id"] = server.reservation_id
    doc[prefix + "launch_index"] = server.launch_index
    doc[prefix + "hostname"] = server.hostname
    doc[prefix + "kernel_id"] = server.image_properties.get("kernel_id", "")
    doc[prefix + "ramdisk_id"] = server.image_properties.get("ramdisk_id", "")
    doc[prefix + "root_device_name"] = server.root_device_name
    doc[prefix + "user_data"] = server.user_data
