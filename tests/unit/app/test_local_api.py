"""What only Kilonova answers."""

from cloud import TestCloud

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_ssh__no_such_server__404(cloud: TestCloud) -> None:
    assert NOBODY in cloud.admin.get(f"/kilonova/ssh/{NOBODY}", status=404)["error"]["message"]


def test_ssh__member__403(cloud: TestCloud) -> None:
    cloud.member.get(f"/kilonova/ssh/{NOBODY}", status=403)


def test_ssh__server_of_the_fake_driver__says_that_it_has_no_port(cloud: TestCloud) -> None:
    flavor = {"flavor": {"name": "small", "vcpus": 1, "ram": 64, "disk": 1}}
    flavor_id = cloud.admin.post("/compute/v2.1/flavors", flavor)["flavor"]["id"]
    image = {"name": "i", "disk_format": "raw", "container_format": "bare"}
    image_id = cloud.member.post("/image/v2/images", image, status=201)["id"]
    content = {"content": bytes(512), "headers": {"Content-Type": "application/octet-stream"}}
    cloud.member.put(f"/image/v2/images/{image_id}/file", status=204, **content)
    wanted = {"server": {"name": "s", "imageRef": image_id, "flavorRef": flavor_id, "networks": "none"}}
    server = cloud.member.post("/compute/v2.1/servers", wanted, status=202, version="2.37")["server"]
    cloud.wait_for_status(server["id"], "ACTIVE")
    told = cloud.admin.get(f"/kilonova/ssh/{server['id']}", status=409)["error"]["message"]
    assert "opens no port" in told
    cloud.member.delete(f"/compute/v2.1/servers/{server['id']}")
    cloud.wait_for_gone(server["id"])
