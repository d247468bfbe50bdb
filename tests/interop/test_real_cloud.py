"""A whole Kilonova beside real Keystone, Glance and Neutron, driven by the real `openstack` client.

`python -m tools.interop` starts those and names them: KILONOVA_TEST_CONFIG is the configuration to use them by.
"""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif("KILONOVA_TEST_CONFIG" not in os.environ, reason="KILONOVA_TEST_CONFIG names no configuration"),
]

READY_S = 60.0
STEP_S = 90.0


@dataclass
class Cloud:
    """A running Kilonova, and the client's environment to reach everything as a project member."""

    environment: dict[str, str]

    def openstack(self, command: str, *more: str, fails: str | None = None) -> Any:
        """Run a command; its JSON output. With `fails`, it must fail and say that."""
        executable = str(Path(os.environ["KILONOVA_TEST_CLIENTS"]) / "openstack")
        asks = command.split()[1] in {"show", "list", "create"} or "list" in command
        arguments = [executable, *command.split(), *more, *(["-f", "json"] if asks else [])]
        done = subprocess.run(arguments, env=self.environment, capture_output=True, timeout=STEP_S, check=False)
        said = f"{arguments}: {done.stdout.decode()}{done.stderr.decode()}"
        if fails is not None:
            assert done.returncode != 0, said
            assert fails in said, said
            return None
        assert done.returncode == 0, said
        return json.loads(done.stdout) if asks and done.stdout else None

    def ports_of(self, server_id: str) -> list[dict[str, Any]]:
        return list(self.openstack(f"port list --device-id {server_id}"))

    def server_when(self, name: str, status: str) -> dict[str, Any]:
        """The server, once it has that status."""
        give_up = time.monotonic() + STEP_S
        while (server := self.openstack(f"server show {name}"))["status"] != status:
            assert server["status"] != "ERROR", server
            assert time.monotonic() < give_up, server
            time.sleep(0.5)
        return dict(server)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """Kilonova on the fake driver, whose identity, images and networks are the real services."""
    log = tmp_path / "up.log"
    command = [str(Path(sys.executable).with_name("kilonova")), "up", "--driver", "fake", "--listen", "127.0.0.1:0"]
    command += ["--state", str(tmp_path / "state"), "--config", os.environ["KILONOVA_TEST_CONFIG"]]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KILONOVA_")}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield Cloud(_environment(tmp_path, _ready(process, log)))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()


def _ready(process: subprocess.Popen[bytes], log: Path) -> str:
    give_up = time.monotonic() + READY_S
    while True:
        for line in log.read_text().splitlines():
            if line.startswith("ready "):
                return line.removeprefix("ready ")
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < give_up, log.read_text()
        time.sleep(0.1)


def _environment(home: Path, url: str) -> dict[str, str]:
    def setting(name: str) -> str:
        return os.environ[f"KILONOVA_TEST_KEYSTONE_{name}"]

    member = {
        "auth_url": setting("URL"),
        "username": setting("MEMBER_USER"),
        "password": setting("MEMBER_PASSWORD"),
        "project_name": setting("MEMBER_PROJECT"),
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    admin = {**member, "username": setting("USER"), "password": setting("PASSWORD"), "project_name": setting("PROJECT")}
    clouds = {
        name: {"auth": account, "compute_endpoint_override": f"{url}/compute/v2.1", "compute_api_version": "2.96"}
        for name, account in (("member", member), ("admin", admin))
    }
    config = home / "clouds.json"
    config.write_text(json.dumps({"clouds": clouds}))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "OS_CLIENT_CONFIG_FILE": str(config),
        "OS_CLOUD": "member",
    }


def test_server__whole_life__real_token_image_and_port(cloud: Cloud, tmp_path: Path) -> None:
    name = f"real-{uuid.uuid4().hex[:8]}"
    content = tmp_path / "disk.raw"
    content.write_bytes(bytes(1 << 20))
    cloud.openstack(f"image create --disk-format raw --container-format bare --file {content} {name}")
    cloud.openstack(f"network create {name}")
    cloud.openstack(f"subnet create --network {name} --subnet-range 10.77.0.0/24 {name}")
    admin = Cloud({**cloud.environment, "OS_CLOUD": "admin"})
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
    admin = Cloud({**cloud.environment, "OS_CLOUD": "admin"})
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
