"""What a guest is told of itself: one source for its config drive and for the metadata service. Pure.

Source of the files: Nova user guide, "Config drives" and "Metadata"; `network_data.json`: nova-specs liberty, "metadata service
network info".
"""

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from kilonova.objects.guest import GuestNic
from kilonova.objects.server import Server


def guest_files(
    server: Server,
    random_seed: str,
    files: Sequence[tuple[str, str]] = (),
    admin_password: str | None = None,
) -> dict[str, bytes]:
    """The files of a guest by their paths below `openstack/`, e.g. `latest/meta_data.json`; the arguments as of `guest_spec`."""
    contents = {f"content/{number:04}": base64.b64decode(content) for number, (_, content) in enumerate(files)}
    listed = [{"path": path, "content_path": f"/content/{number:04}"} for number, (path, _) in enumerate(files)]
    found = {
        "latest/meta_data.json": _json(_meta_data(server, listed, random_seed, admin_password)),
        "latest/network_data.json": _json(_network_data(server.guest_nics)),
        "latest/vendor_data.json": b"{}",
        "latest/vendor_data2.json": b"{}",
        **contents,
    }
    if server.user_data:
        found["latest/user_data"] = base64.b64decode(server.user_data)
    return found


def _meta_data(
    server: Server, files: list[dict[str, str]], random_seed: str, admin_password: str | None
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "uuid": server.id,
        "name": server.name,
        "hostname": server.hostname,
        "availability_zone": server.availability_zone,
        "launch_index": server.launch_index,
        "project_id": server.project_id,
        "random_seed": random_seed,
        "devices": [],
    }
    if server.metadata:
        data["meta"] = server.metadata
    if server.public_key is not None:
        data["public_keys"] = {server.key_name: server.public_key}
        data["keys"] = [{"name": server.key_name, "type": server.key_type, "data": server.public_key}]
    if files:
        data["files"] = files
    if admin_password:
        data["admin_pass"] = admin_password
    return data


def _network_data(nics: Sequence[GuestNic]) -> dict[str, Any]:
    links, networks, services = [], [], []
    for number, nic in enumerate(nics):
        link = f"tap{nic.port_id[:11]}"
        links.append(
            {"id": link, "type": "phy", "ethernet_mac_address": nic.mac, "mtu": nic.mtu, "vif_id": nic.port_id}
        )
        for address in nic.addresses:
            networks.append(
                {
                    "id": f"network{number}",
                    "type": "ipv4_dhcp" if address.version == 4 else "ipv6_dhcp",
                    "link": link,
                    "network_id": nic.network_id,
                }
            )
            services += [{"type": "dns", "address": server} for server in address.dns]
    return {"links": links, "networks": networks, "services": services}


def _json(document: Any) -> bytes:
    return msgspec.json.encode(document)
