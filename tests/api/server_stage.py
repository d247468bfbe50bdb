"""What tests about servers need before they start: a flavor, an image, a network, room in the quota; and a short way to boot."""

from typing import Any

from cloud import Asker, TestCloud
from kilonova.kernel.errors import Unavailable

SERVERS = "/compute/v2.1/servers"
NEWEST = "2.104"
IMAGE_BYTES = 4096


class Silent:
    """A database that can't be reached."""

    name = "silent"

    async def read(self, *_work: Any, **_options: Any) -> Any:
        raise Unavailable(service="the database silent", reason="it does not answer")

    scan = write = read

    async def close(self) -> None:
        """Nothing is open."""


class Stage:
    """A cloud with what servers are made of."""

    def __init__(self, cloud: TestCloud) -> None:
        self.cloud = cloud
        self.flavor = self.flavor_make("tiny")
        self.image = self.image_make("cirros")
        self.network = self.network_make("private", "10.0.0.0/24")
        quota = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
        cloud.admin.put(f"/compute/v2.1/os-quota-sets/{cloud.member.project_id}", quota)

    def flavor_make(self, name: str, **fields: Any) -> str:
        body = {"flavor": {"name": name, "ram": 64, "vcpus": 1, "disk": 1, **fields}}
        return str(self.cloud.admin.post("/compute/v2.1/flavors", body)["flavor"]["id"])

    def image_make(self, name: str, *, upload: bool = True, **fields: Any) -> str:
        body = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public", **fields}
        image_id = self.cloud.admin.post("/image/v2/images", body, status=201)["id"]
        if upload:
            kind = {"Content-Type": "application/octet-stream"}
            path = f"/image/v2/images/{image_id}/file"
            self.cloud.admin.put(path, status=204, content=bytes(IMAGE_BYTES), headers=kind)
        return str(image_id)

    def network_make(self, name: str, cidr: str | None, who: Asker | None = None) -> str:
        who = who or self.cloud.member
        network_id = who.post("/network/v2.0/networks", {"network": {"name": name}}, status=201)["network"]["id"]
        if cidr is not None:
            subnet = {"subnet": {"network_id": network_id, "cidr": cidr, "ip_version": 4}}
            who.post("/network/v2.0/subnets", subnet, status=201)
        return str(network_id)

    def port_make(self, network_id: str) -> Any:
        body = {"port": {"network_id": network_id}}
        return self.cloud.member.post("/network/v2.0/ports", body, status=201)["port"]

    def wish(self, **fields: Any) -> dict[str, Any]:
        """The body of a create; None takes a field away."""
        server = {"name": "web", "flavorRef": self.flavor, "imageRef": self.image, "networks": "none", **fields}
        return {"server": {key: value for key, value in server.items() if value is not None}}

    def create(
        self, *, who: Asker | None = None, version: str = NEWEST, status: int = 202, hints: Any = None, **fields: Any
    ) -> Any:
        """Ask for a server; the answer's body."""
        body = self.wish(**fields)
        if hints is not None:
            body["os:scheduler_hints"] = hints
        return (who or self.cloud.member).post(SERVERS, body, status=status, version=version)

    def refused(self, status: int, **options: Any) -> str:
        """Ask for a server in vain; the message of the refusal."""
        (fault,) = self.create(status=status, **options).values()
        return str(fault["message"])

    def boot(self, **options: Any) -> str:
        """A server that has become ACTIVE; its id."""
        server_id = str(self.create(**options)["server"]["id"])
        self.cloud.wait_for_status(server_id, "ACTIVE")
        return server_id

    def show(self, server_id: str, *, who: Asker | None = None, version: str = NEWEST) -> Any:
        return (who or self.cloud.member).get(f"{SERVERS}/{server_id}", version=version)["server"]

    def act(
        self, server_id: str, action: Any, *, who: Asker | None = None, status: int = 202, version: str = NEWEST
    ) -> Any:
        return (who or self.cloud.member).post(f"{SERVERS}/{server_id}/action", action, status=status, version=version)

    def ids(self, *, who: Asker | None = None, version: str = NEWEST, path: str = SERVERS, **params: Any) -> list[str]:
        """The ids of a list, in order."""
        return [one["id"] for one in (who or self.cloud.member).get(path, params=params, version=version)["servers"]]
