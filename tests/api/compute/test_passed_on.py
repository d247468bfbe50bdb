"""What routes that pass requests on ask of block storage and of a network service with floating IPs, and what they tell of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from api.compute_rig import MEMBER, PROJECT, READER, Rig
from kilonova.clients.service_api import JSON, Answer
from kilonova.objects.caller import Caller

ID, OTHER = "99999999-9999-4999-8999-999999999999", "88888888-8888-4888-8888-888888888888"
VOLUME = {
    "id": ID,
    "name": "data",
    "description": "d",
    "status": "in-use",
    "size": 1,
    "availability_zone": "nova",
    "created_at": "2026-01-01T00:00:00.000000",
    "attachments": [{"volume_id": ID, "server_id": OTHER, "device": "/dev/vdb", "attachment_id": "a"}],
    "volume_type": "fast",
    "snapshot_id": None,
    "metadata": {"k": "v"},
}
SNAPSHOT = {
    "id": ID,
    "volume_id": OTHER,
    "name": None,
    "description": None,
    "status": "available",
    "size": 1,
    "created_at": "2026-01-01T00:00:00.000000",
}
POOL = {"id": OTHER, "name": "public", "router:external": True}
FLOATING = {
    "id": ID,
    "floating_network_id": OTHER,
    "floating_ip_address": "192.0.2.7",
    "fixed_ip_address": "10.0.0.5",
    "port_id": OTHER,
}


class Scripted:
    """A service with an answer for each request it expects. Implements `ServiceApi`."""

    def __init__(self, **answers: Any) -> None:
        """`answers` by method and path, e.g. `{"GET /v3/volumes/detail": (200, {...})}`."""
        self.answers: dict[str, tuple[int, Any]] = answers
        self.asked: list[tuple[str, Any, Any]] = []

    async def ask(
        self,
        caller: Caller,
        method: str,
        path: str,
        json: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        media_type: str = JSON,
    ) -> Answer:
        assert caller.token
        assert media_type
        self.asked.append((f"{method} {path}", json, dict(params or {})))
        status, body = self.answers.get(f"{method} {path}", (404, {"error": {"message": "no such thing"}}))
        return Answer(service="scripted", status=status, body=body)


@pytest.fixture(scope="module")
def storage() -> Scripted:
    return Scripted(
        **{
            "GET /v3/volumes/detail": (200, {"volumes": [VOLUME, {**VOLUME, "id": OTHER, "attachments": []}]}),
            f"GET /v3/volumes/{ID}": (200, {"volume": VOLUME}),
            f"DELETE /v3/volumes/{ID}": (400, {"badRequest": {"message": "it is in use"}}),
            "POST /v3/volumes": (202, {"volume": VOLUME}),
            "GET /v3/snapshots/detail": (200, {"snapshots": [SNAPSHOT]}),
            "POST /v3/snapshots": (202, {"snapshot": SNAPSHOT}),
            f"DELETE /v3/snapshots/{ID}": (202, None),
        }
    )


@pytest.fixture(scope="module")
def network() -> Scripted:
    return Scripted(
        **{
            "GET /v2.0/networks": (200, {"networks": [POOL]}),
            "GET /v2.0/floatingips": (200, {"floatingips": [FLOATING]}),
            f"GET /v2.0/floatingips/{ID}": (200, {"floatingip": {**FLOATING, "port_id": None}}),
            f"GET /v2.0/ports/{OTHER}": (200, {"port": {"device_id": "server"}}),
            "POST /v2.0/floatingips": (201, {"floatingip": FLOATING}),
            f"DELETE /v2.0/floatingips/{ID}": (204, None),
        }
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, storage: Scripted, network: Scripted) -> Iterator[Rig]:
    path: Path = tmp_path_factory.mktemp("passed-on")
    with Rig(path, volume_api=storage, network_api=network) as rig:
        yield rig


def test_volumes__told_in_the_old_words(shared: Rig) -> None:
    first, second = shared.ok("GET", "/os-volumes", token=MEMBER)["volumes"]
    assert first == {
        "id": ID,
        "displayName": "data",
        "displayDescription": "d",
        "status": "in-use",
        "size": 1,
        "availabilityZone": "nova",
        "createdAt": VOLUME["created_at"],
        "attachments": [{"id": ID, "volumeId": ID, "serverId": OTHER, "device": "/dev/vdb"}],
        "volumeType": "fast",
        "snapshotId": None,
        "metadata": {"k": "v"},
    }
    assert second["attachments"] == [{}]
    assert shared.ok("GET", "/os-volumes/detail?offset=1", token=MEMBER)["volumes"] == [second]
    assert shared.ok("GET", "/os-volumes?limit=1", token=MEMBER)["volumes"] == [first]
    assert shared.ok("GET", f"/os-volumes/{ID}", token=MEMBER)["volume"] == first
    shared.ok("GET", f"/os-volumes/{OTHER}", token=MEMBER, status=404)
    shared.ok("GET", "/os-volumes?limit=many", token=MEMBER, status=400)


def test_volume__made_with_the_new_words_and_kept_by_the_service(shared: Rig, storage: Scripted) -> None:
    wish = {"size": "1", "display_name": "data", "display_description": "d", "metadata": {"k": "v"}}
    shared.ok("POST", "/os-volumes", {"volume": wish}, token=MEMBER)
    sent = {"volume": {"size": 1, "name": "data", "description": "d", "metadata": {"k": "v"}}}
    assert storage.asked[-1] == ("POST /v3/volumes", sent, {})
    assert "in use" in shared.ok("DELETE", f"/os-volumes/{ID}", token=MEMBER, status=400)["badRequest"]["message"]
    shared.ok("POST", "/os-volumes", {"volume": wish}, token=READER, status=403)
    shared.ok("GET", "/os-volumes", version="2.36", token=MEMBER, status=404)


def test_snapshots__made_listed_and_deleted(shared: Rig, storage: Scripted) -> None:
    made = shared.ok("POST", "/os-snapshots", {"snapshot": {"volume_id": OTHER, "force": "True"}}, token=MEMBER)
    assert storage.asked[-1][1] == {"snapshot": {"volume_id": OTHER, "force": True}}
    assert shared.ok("GET", "/os-snapshots", token=MEMBER)["snapshots"] == [made["snapshot"]]
    assert (made["snapshot"]["volumeId"], made["snapshot"]["displayName"]) == (OTHER, None)
    shared.ok("DELETE", f"/os-snapshots/{ID}", token=MEMBER, status=202)


def test_floating_ips__with_pool_and_server(shared: Rig, network: Scripted) -> None:
    assert shared.ok("GET", "/os-floating-ip-pools", token=MEMBER) == {"floating_ip_pools": [{"name": "public"}]}
    assert network.asked[-1][2] == {"router:external": "true"}
    told = {"id": ID, "ip": "192.0.2.7", "pool": "public", "fixed_ip": "10.0.0.5", "instance_id": "server"}
    assert shared.ok("GET", "/os-floating-ips", token=MEMBER) == {"floating_ips": [told]}
    assert ("GET /v2.0/floatingips", None, {"project_id": PROJECT}) in network.asked
    free = shared.ok("GET", f"/os-floating-ips/{ID}", token=MEMBER)["floating_ip"]
    assert free == {**told, "instance_id": None}


def test_floating_ip__taken_and_given_back(shared: Rig, network: Scripted) -> None:
    for wish in (None, {"pool": "public"}, {"pool": OTHER}):
        shared.ok("POST", "/os-floating-ips", wish, token=MEMBER)
        assert network.asked[-2][1] == {"floatingip": {"floating_network_id": OTHER}}
    shared.ok("POST", "/os-floating-ips", {"pool": "other"}, token=MEMBER, status=404)
    shared.ok("POST", "/os-floating-ips", {"pool": 1}, token=MEMBER, status=400)
    network.answers["POST /v2.0/floatingips"] = (409, {"NeutronError": {"message": "none left"}})
    shared.ok("POST", "/os-floating-ips", None, token=MEMBER, status=404)
    shared.ok("DELETE", f"/os-floating-ips/{ID}", token=MEMBER, status=202)
