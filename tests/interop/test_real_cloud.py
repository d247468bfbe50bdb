"""Servers of a Kilonova whose identity, images and networks are real Keystone, Glance, Neutron and Cinder."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.real_cloud import MARKS, Cloud, real_cloud

pytestmark = MARKS


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with real_cloud(tmp_path) as made:
        yield made


def test_server__whole_life__real_token_image_and_port(cloud: Cloud, tmp_path: Path) -> None:
    name = f"real-{uuid.uuid4().hex[:8]}"
    content = tmp_path / "disk.raw"
    content.write_bytes(bytes(1 << 20))
    cloud.openstack(f"image create --disk-format raw --container-format bare --file {content} {name}")
    cloud.openstack(f"network create {name}")
    cloud.openstack(f"subnet create --network {name} --subnet-range 10.77.0.0/24 {name}")
    admin = cloud.admin
    admin.openstack(f"flavor create --vcpus 1 --ram 64 --disk 1 {name}")

    made = cloud.openstack(f"server create --image {name} --flavor {name} --network {name} {name}")
    server = cloud.server_when(name, "ACTIVE")

    (port,) = cloud.ports_of(made["id"])
    address = server["addresses"][name][0]
    assert address in {fixed["ip_address"] for fixed in port["Fixed IP Addresses"]}
    bound = admin.openstack(f"port show {port['ID']}")
    assert bound["binding_vif_type"] == "bridge"
    assert bound["binding_host_id"]
    assert bound["device_owner"].startswith("compute:")

    cloud.openstack(f"server delete --wait {name}")
    assert cloud.ports_of(made["id"]) == []
    cloud.openstack(f"server show {name}", fails="No Server found")
    for kind in ("network", "image"):
        cloud.openstack(f"{kind} delete {name}")
    admin.openstack(f"flavor delete {name}")


def test_server__port_of_the_user__stays_when_the_server_goes(cloud: Cloud) -> None:
    name = f"real-{uuid.uuid4().hex[:8]}"
    admin = cloud.admin
    cloud.openstack(f"network create {name}")
    cloud.openstack(f"subnet create --network {name} --subnet-range 10.78.0.0/24 {name}")
    port = cloud.openstack(f"port create --network {name} --fixed-ip ip-address=10.78.0.99 {name}")
    image = Path(cloud.environment["HOME"]) / "disk.raw"
    image.write_bytes(bytes(1 << 20))
    cloud.openstack(f"image create --disk-format raw --container-format bare --file {image} {name}")
    admin.openstack(f"flavor create --vcpus 1 --ram 64 --disk 1 {name}")
    cloud.openstack(f"server create --image {name} --flavor {name} --port {name} {name}")
    assert cloud.server_when(name, "ACTIVE")["addresses"] == {name: ["10.78.0.99"]}

    cloud.openstack(f"server delete --wait {name}")

    left = cloud.openstack(f"port show {port['id']}")
    assert (left["device_id"], left["status"]) == ("", "DOWN")
    cloud.openstack(f"port delete {name}")
    for kind in ("network", "image"):
        cloud.openstack(f"{kind} delete {name}")
    admin.openstack(f"flavor delete {name}")
