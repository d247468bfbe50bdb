"""Waiting for a server at our own endpoint."""

import pytest

from cloud import TestCloud

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def server_id(cloud: TestCloud) -> str:
    flavor = {"flavor": {"name": "small", "vcpus": 1, "ram": 64, "disk": 1}}
    flavor_id = cloud.admin.post("/compute/v2.1/flavors", flavor)["flavor"]["id"]
    image = {"name": "i", "disk_format": "raw", "container_format": "bare"}
    image_id = cloud.member.post("/image/v2/images", image, status=201)["id"]
    content = {"content": bytes(512), "headers": {"Content-Type": "application/octet-stream"}}
    cloud.member.put(f"/image/v2/images/{image_id}/file", status=204, **content)
    wanted = {"server": {"name": "s", "imageRef": image_id, "flavorRef": flavor_id, "networks": "none"}}
    return cloud.member.post("/compute/v2.1/servers", wanted, status=202, version="2.37")["server"]["id"]


def test_wait__server_boots__answers_when_it_is_active(cloud: TestCloud, server_id: str) -> None:
    told = cloud.admin.get(f"/kilonova/servers/{server_id}/wait")
    assert told["reached"]
    assert (told["server"]["status"], told["server"]["operation"]) == ("ACTIVE", None)


def test_wait__time_is_over__tells_how_it_is(cloud: TestCloud, server_id: str) -> None:
    cloud.admin.get(f"/kilonova/servers/{server_id}/wait")
    told = cloud.admin.get(f"/kilonova/servers/{server_id}/wait", params={"status": "SHUTOFF", "within_s": "0"})
    assert (told["reached"], told["server"]["status"]) == (False, "ACTIVE")


def test_wait__server_is_deleted_meanwhile__404(cloud: TestCloud, server_id: str) -> None:
    cloud.member.delete(f"/compute/v2.1/servers/{server_id}")
    cloud.admin.get(f"/kilonova/servers/{server_id}/wait", params={"status": "DELETED"}, status=404)


def test_wait__no_such_server__404(cloud: TestCloud) -> None:
    cloud.admin.get(f"/kilonova/servers/{NOBODY}/wait", status=404)


def test_wait__member__403(cloud: TestCloud) -> None:
    cloud.member.get(f"/kilonova/servers/{NOBODY}/wait", status=403)


@pytest.mark.parametrize("within_s", ["-1", "61", "nan", "soon"])
def test_wait__unusable_time__400(cloud: TestCloud, within_s: str) -> None:
    told = cloud.admin.get(f"/kilonova/servers/{NOBODY}/wait", params={"within_s": within_s}, status=400)
    assert "from 0 to 60" in told["error"]["message"]
