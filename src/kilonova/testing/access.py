"""What a test asks of a cloud that answers, wherever it runs: addresses, clients, things to boot from, waiting."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from kilonova.app.clouds_yaml import ACCOUNTS, FILE
from kilonova.app.paths import PATHS
from kilonova.testing import waiting
from kilonova.testing.waiting import ServerSeen

if TYPE_CHECKING:
    from openstack.connection import Connection

ADMIN = "kilonova-admin"
MEMBER = "kilonova"
ANSWER_MAX_S = 60.0
WAIT_S = 30.0
IMAGE, FLAVOR, NETWORK = "image", "small", "net"
"""What `furnish` makes, by name."""
IMAGE_BYTES = 1 << 20


class CloudAccess:
    """A cloud with the built-in identity service. Two clouds are in its `clouds.yaml`: `kilonova-admin` and `kilonova`."""

    url: str
    """Where it answers, without a slash at its end."""
    state: Path
    """Its state directory."""

    @property
    def clouds_yaml(self) -> Path:
        """How OpenStack's clients log in."""
        return self.state / FILE

    def environ(self, name: str = MEMBER) -> dict[str, str]:
        """This process's environment, and in it what leads every OpenStack client to the cloud `name`: for subprocesses."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
        return {**kept, "OS_CLIENT_CONFIG_FILE": str(self.clouds_yaml), "OS_CLOUD": name}

    def connection(self, name: str = MEMBER) -> "Connection":
        """Connect openstacksdk to the cloud `name`; the caller closes it. Raises ImportError where it isn't installed."""
        from openstack.config import OpenStackConfig  # noqa: PLC0415 - not everybody has it
        from openstack.connection import Connection  # noqa: PLC0415 - not everybody has it

        config = OpenStackConfig(
            config_files=[str(self.clouds_yaml)], secure_files=[], vendor_files=[], load_envvars=False
        )
        return Connection(config=config.get_one(cloud=name))

    @contextmanager
    def client(self, name: str = ADMIN) -> Iterator[httpx.Client]:
        """A plain HTTP client with a token of the cloud `name`, for paths like `/compute/v2.1/servers`."""
        account = ACCOUNTS[name]
        password = (self.state / "secrets" / f"{account}-password").read_text(encoding="ascii")
        domain = {"id": "default"}
        user = {"name": account, "domain": domain, "password": password}
        identity = {"methods": ["password"], "password": {"user": user}}
        auth = {"identity": identity, "scope": {"project": {"name": account, "domain": domain}}}
        with httpx.Client(base_url=self.url, timeout=ANSWER_MAX_S, trust_env=False) as client:
            answer = client.post(f"{PATHS['identity']}/auth/tokens", json={"auth": auth}).raise_for_status()
            client.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
            yield client

    def furnish(self) -> dict[str, Any]:
        """Make what a server needs: the image `image`, the flavor `small`, the network `net` with a subnet.

        Returns:
            The keys of a `POST /servers` of the project `kilonova` that say so.
        """
        with self.client(ADMIN) as admin, self.client(MEMBER) as member:
            network = _made(member, "/network/v2.0/networks", "network", {"name": NETWORK})
            subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/16"}
            _made(member, "/network/v2.0/subnets", "subnet", subnet)
            image = {"name": IMAGE, "disk_format": "raw", "container_format": "bare"}
            image_id = member.post("/image/v2/images", json=image).raise_for_status().json()["id"]
            kind = {"Content-Type": "application/octet-stream"}
            content = bytes(IMAGE_BYTES)
            member.put(f"/image/v2/images/{image_id}/file", content=content, headers=kind).raise_for_status()
            flavor = {"name": FLAVOR, "vcpus": 1, "ram": 64, "disk": 1}
            flavor_id = _made(admin, "/compute/v2.1/flavors", "flavor", flavor)["id"]
        return {"imageRef": image_id, "flavorRef": flavor_id, "networks": [{"uuid": network["id"]}]}

    def lift_quotas(self) -> None:
        """Let the project `kilonova` have as many servers and ports as the hosts hold."""
        with self.client(ADMIN) as admin, self.client(MEMBER) as member:
            project = member.get("/identity/v3/auth/projects").raise_for_status().json()["projects"][0]["id"]
            servers = {"quota_set": dict.fromkeys(("instances", "cores", "ram"), -1)}
            admin.put(f"/compute/v2.1/os-quota-sets/{project}", json=servers).raise_for_status()
            ports = {"quota": {"port": -1}}
            admin.put(f"/network/v2.0/quotas/{project}", json=ports).raise_for_status()

    def wait_until_active(self, server_id: str, *, within_s: float = WAIT_S) -> ServerSeen:
        """Wait until a server is ACTIVE and at rest. Raises as `wait_until`."""
        return self.wait_until(server_id, "ACTIVE", within_s=within_s)

    def wait_until(self, server_id: str, status: str, *, within_s: float = WAIT_S) -> ServerSeen:
        """Wait until a server of any project has a status, e.g. `SHUTOFF`, and no operation works on it.

        The cloud answers at the moment when it is so: nothing is polled. Raises `waiting.NotReached` when it takes longer
        than `within_s` seconds, or at once when the server is in ERROR or not there; the message has its state and fault.
        """
        with self.client(ADMIN) as admin:
            return waiting.wait_until(admin, server_id, status, within_s)

    def wait_until_gone(self, server_id: str, *, within_s: float = WAIT_S) -> None:
        """Wait until a server is deleted. Raises `waiting.NotReached`."""
        with self.client(ADMIN) as admin:
            waiting.wait_until_gone(admin, server_id, within_s)


def _made(client: httpx.Client, path: str, key: str, body: dict[str, Any]) -> Any:
    return client.post(path, json={key: body}).raise_for_status().json()[key]
