"""Servers made up for tests of the API's pure parts."""

from typing import Any

from kilonova.objects.flavor import Flavor
from kilonova.objects.server import Nic, NicAddress, Server, VmState

FLAVOR = Flavor(id="42", name="m1.small", vcpus=1, memory_mb=512, disk_gb=1, extra_specs={"hw:cpu_policy": "shared"})
NIC = Nic(
    port_id="6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c0001",
    network_id="6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c0002",
    network_name="private",
    mac="fa:16:3e:00:00:01",
    addresses=(NicAddress(address="10.0.0.4", version=4),),
    owned=True,
)


def server(**changes: Any) -> Server:
    """An active server with something in every field that is shown."""
    fields: dict[str, Any] = {
        "id": "0e44cc9c-e052-415d-afbf-469b0d384170",
        "project_id": "a" * 32,
        "user_id": "b" * 32,
        "name": "web",
        "hostname": "web",
        "description": "the front",
        "flavor": FLAVOR,
        "image_id": "70a599e0-31e7-49b7-b260-868f441e862b",
        "image_properties": {"kernel_id": "kernel", "min_ram": "0"},
        "key_name": "key",
        "metadata": {"role": "front"},
        "tags": ("blue", "green"),
        "availability_zone": "nova",
        "pinned_availability_zone": "nova",
        "user_data": "aGVsbG8=",
        "security_groups": ("default",),
        "nics": (NIC,),
        "group_id": "6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c0003",
        "hints": {"group": ["6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c0003"]},
        "locked": True,
        "locked_reason": "kept",
        "trusted_certs": ("cert",),
        "host": "host-1",
        "vm_state": VmState.ACTIVE,
        "progress": 100,
        "reservation_id": "r-1",
        "created_at": 1_700_000_000.0,
        "updated_at": 1_700_000_001.5,
        "launched_at": 1_700_000_002.25,
    }
    return Server(**(fields | changes))
