"""From server to guest: everything its host needs to make it, config drive included. Pure.

Source of the config drive's files: Nova user guide, "Config drives" and "Metadata"; `network_data.json`: nova-specs liberty,
"metadata service network info".
"""

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from kilonova.kernel.ids import CellId
from kilonova.objects.guest import GuestNic, GuestSpec
from kilonova.objects.server import Server
from kilonova.scheduler.numa import guest_cells
from kilonova.scheduler.pci import addresses


def guest_spec(
    server: Server,
    *,
    cell_id: CellId,
    generation: int,
    random_seed: str,
    files: Sequence[tuple[str, str]] = (),
    admin_password: str | None = None,
) -> GuestSpec:
    """The guest of `server`.

    Args:
        server: as it is, or is to be.
        cell_id: of its cell.
        generation: of the wish that the guest is made for.
        random_seed: feeds the guest's own randomness (base64).
        files: to be injected, path and base64 content.
        admin_password: told to the guest in its config drive.
    """
    return GuestSpec(
        server_id=server.id,
        generation=generation,
        name=server.name,
        hostname=server.hostname,
        vcpus=server.flavor.vcpus,
        memory_mb=server.flavor.memory_mb,
        disk_gb=server.flavor.disk_gb,
        image=server.image,
        kernel=server.kernel,
        ramdisk=server.ramdisk,
        cmdline=server.image_properties.get("os_command_line", ""),
        nics=server.guest_nics,
        config_drive=_config_drive(server, random_seed, files, admin_password),
        project_id=server.project_id,
        user_id=server.user_id,
        flavor_name=server.flavor.name,
        volumes=tuple(volume.guest for volume in server.volumes),
        cell_id=cell_id,
        numa=guest_cells(server.flavor, server.image_properties, server.portion),
        devices=() if server.portion is None else addresses(server.portion.groups),
    )


def _config_drive(
    server: Server, random_seed: str, files: Sequence[tuple[str, str]], admin_password: str | None
) -> dict[str, bytes]:
    contents = {
        f"openstack/content/{number:04}": base64.b64decode(content) for number, (_, content) in enumerate(files)
    }
    listed = [{"path": path, "content_path": f"/content/{number:04}"} for number, (path, _) in enumerate(files)]
    drive = {
        "openstack/latest/meta_data.json": _json(_meta_data(server, listed, random_seed, admin_password)),
        "openstack/latest/network_data.json": _json(_network_data(server.guest_nics)),
        "openstack/latest/vendor_data.json": b"{}",
        **contents,
    }
    if server.user_data:
        drive["openstack/latest/user_data"] = base64.b64decode(server.user_data)
    return drive


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
