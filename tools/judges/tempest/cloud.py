"""The cloud that Tempest judges: what its tests need to be there, and the configuration that says so."""

import os
from pathlib import Path

import httpx

from kilonova.app.clouds_yaml import ACCOUNTS
from kilonova.app.paths import PATHS
from kilonova.testing.access import ADMIN
from tools.up_cloud import UpCloud

TEMPLATE = Path(__file__).with_name("tempest.conf")
IMAGE_BYTES = 1 << 16


def configured(up: UpCloud, folder: Path) -> Path:
    """Make two images, two flavors and a shared network; the configuration file, in `folder`."""
    with up.client(ADMIN) as admin:
        told = {
            "image": _image(admin, "one"),
            "image_alt": _image(admin, "two"),
            "flavor": _flavor(admin, "small", 64),
            "flavor_alt": _flavor(admin, "large", 128),
        }
        network = _made(admin, f"{PATHS['network']}/networks", "network", {"name": "shared", "shared": True})
        subnet = {"network_id": network, "ip_version": 4, "cidr": "10.8.0.0/16"}
        _made(admin, f"{PATHS['network']}/subnets", "subnet", subnet)
    user = ACCOUNTS[ADMIN]
    password = (up.state / "secrets" / f"{user}-password").read_text(encoding="ascii")
    file = folder / TEMPLATE.name
    file.write_text(TEMPLATE.read_text().format(folder=folder, url=up.url, user=user, password=password, **told))
    return file


def _image(admin: httpx.Client, name: str) -> str:
    wish = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public"}
    wish |= {"hw_qemu_guest_agent": "yes"}  # without one no password can be changed
    made: str = admin.post(f"{PATHS['image']}/images", json=wish).raise_for_status().json()["id"]
    content = {"content": os.urandom(IMAGE_BYTES), "headers": {"Content-Type": "application/octet-stream"}}
    admin.put(f"{PATHS['image']}/images/{made}/file", **content).raise_for_status()
    return made


def _flavor(admin: httpx.Client, name: str, ram: int) -> str:
    return _made(admin, f"{PATHS['compute']}/flavors", "flavor", {"name": name, "ram": ram, "vcpus": 1, "disk": 1})


def _made(client: httpx.Client, path: str, kind: str, wish: dict[str, object]) -> str:
    made: str = client.post(path, json={kind: wish}).raise_for_status().json()[kind]["id"]
    return made
