"""`kilonova up` as a process of its own, for tests and benchmarks that drive it from outside."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx

KILONOVA = str(Path(sys.executable).with_name("kilonova"))
PATIENCE_S = 60


class StartFailure(Exception):
    """The cloud did not start; the argument is what it said."""


class UpCloud:
    """A cloud on a state directory, from `with` to its end; `kill` and `start` in between."""

    def __init__(self, state: Path, *options: object, driver: str = "fake", **environment: str) -> None:
        """`options` as for `kilonova up`; `environment` sets further variables."""
        fixed = ["--state", state, "--listen", "127.0.0.1:0", "--driver", driver]
        self.state = state
        self._line = [KILONOVA, "up", *map(str, [*fixed, *options])]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("KILONOVA_")}
        self._environment = {**inherited, **environment}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers. Raises `StartFailure`."""
        errors = self.state.with_name(f"{self.state.name}.err")
        with errors.open("ab") as told:
            self.process = subprocess.Popen(
                self._line, env=self._environment, stdout=subprocess.PIPE, stderr=told, text=True
            )
        assert self.process.stdout is not None
        words = self.process.stdout.readline().split()
        if words[:1] != ["ready"]:
            self.kill()
            raise StartFailure(errors.read_text())
        self.url = words[1]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_S)

    def stop(self) -> None:
        """End it cleanly, if it still runs."""
        self.process.terminate()
        try:
            self.process.communicate(timeout=PATIENCE_S)
        finally:
            self.process.kill()

    def clouds(self, name: str = "kilonova") -> dict[str, str]:
        """The variables by which OpenStack's clients find it."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}
        return {**kept, "OS_CLIENT_CONFIG_FILE": str(self.state / "clouds.yaml"), "OS_CLOUD": name}

    @contextmanager
    def client(self, account: str = "admin") -> Iterator[httpx.Client]:
        """A client that is logged in."""
        password = (self.state / "secrets" / f"{account}-password").read_text()
        domain = {"id": "default"}
        user = {"name": account, "domain": domain, "password": password}
        identity: dict[str, Any] = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": account, "domain": domain}}
        with httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False) as client:
            answer = client.post("/identity/v3/auth/tokens", json={"auth": {"identity": identity, "scope": scope}})
            client.headers["X-Auth-Token"] = answer.raise_for_status().headers["X-Subject-Token"]
            yield client

    def furnish(self) -> dict[str, Any]:
        """Make a network, an image and a flavor; what a server of the account `kilonova` needs."""
        with self.client() as admin, self.client("kilonova") as member:
            network = _created(member, "/network/v2.0/networks", "network", {"name": "net"})
            subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/16"}
            _created(member, "/network/v2.0/subnets", "subnet", subnet)
            made = member.post("/image/v2/images", json={"name": "i", "disk_format": "raw", "container_format": "bare"})
            image = made.raise_for_status().json()["id"]
            kind = {"Content-Type": "application/octet-stream"}
            member.put(f"/image/v2/images/{image}/file", content=bytes(1 << 20), headers=kind).raise_for_status()
            flavor = {"name": "small", "vcpus": 1, "ram": 64, "disk": 1}
            small = _created(admin, "/compute/v2.1/flavors", "flavor", flavor)["id"]
            project = member.get("/identity/v3/auth/projects").raise_for_status().json()["projects"][0]["id"]
            unlimited = {"quota_set": dict.fromkeys(("instances", "cores", "ram"), -1)}
            admin.put(f"/compute/v2.1/os-quota-sets/{project}", json=unlimited).raise_for_status()
            quota = {"quota": {"port": -1}}
            admin.put(f"/network/v2.0/quotas/{project}", json=quota).raise_for_status()
        return {"imageRef": image, "flavorRef": small, "networks": [{"uuid": network["id"]}]}


def _created(client: httpx.Client, path: str, key: str, body: dict[str, Any]) -> Any:
    answer = client.post(path, json={key: body})
    answer.raise_for_status()
    return answer.json()[key]
