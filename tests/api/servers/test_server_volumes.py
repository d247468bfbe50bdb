"""Volumes of servers over HTTP: list, show, attach, update, swap, detach, at every microversion that changes them."""

import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from api.server_stage import NEWEST, SERVERS, Stage
from cloud import Asker, TestCloud
from kilonova.kernel.ids import ProjectId
from kilonova.simulation.doubles.volumes import DirectVolumes, VolumeService

UNKNOWN = "99999999-9999-4999-8999-999999999999"


class Disks:
    """A stage with block storage, and a server on it."""

    def __init__(self, stage: Stage, service: VolumeService, server_id: str) -> None:
        self.stage = stage
        self.service = service
        self.server_id = server_id
        self.path = f"{SERVERS}/{server_id}/os-volume_attachments"

    def make(self, **fields: Any) -> str:
        return self.service.make(ProjectId(self.stage.cloud.member.project_id or ""), **fields).id

    def post(self, volume_id: str, *, version: str = "2.100", status: int = 200, **fields: Any) -> Any:
        wish = {"volumeAttachment": {"volumeId": volume_id, **fields}}
        return self.stage.cloud.member.post(self.path, wish, version=version, status=status)

    def put(
        self, volume_id: str, *, who: Asker | None = None, version: str = NEWEST, status: int = 202, **fields: Any
    ) -> Any:
        wish = {"volumeAttachment": fields}
        asker = who or self.stage.cloud.member
        return asker.put(f"{self.path}/{volume_id}", wish, version=version, status=status)

    def attach(self, volume_id: str, **options: Any) -> Any:
        answer = self.post(volume_id, **options)
        self.until(volume_id, "in-use")
        return answer

    def detach(self, volume_id: str, status: int = 202) -> Any:
        return self.stage.cloud.member.delete(f"{self.path}/{volume_id}", status=status)

    def until(self, volume_id: str, status: str) -> None:
        self.stage.cloud.wait_for(
            lambda: self.service.get(volume_id).status == status and self.at_rest(), f"{volume_id} to be {status}"
        )

    def at_rest(self) -> bool:
        waited = self.stage.cloud.admin.get(f"/kilonova/servers/{self.server_id}/wait?status=ACTIVE&within_s=5")
        return bool(waited["reached"])

    def listed(self, version: str = NEWEST, query: str = "") -> list[Any]:
        found: list[Any] = self.stage.cloud.member.get(self.path + query, version=version)["volumeAttachments"]
        return found


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, VolumeService]]:
    service = VolumeService(lambda: str(uuid.uuid4()))
    with TestCloud(tmp_path_factory.mktemp("cloud"), volumes=DirectVolumes(service)) as cloud:
        yield Stage(cloud), service


@pytest.fixture
def disks(stored: tuple[Stage, VolumeService]) -> Disks:
    stage, service = stored
    return Disks(stage, service, stage.boot())


def test_attach__answered_at_once_shown_everywhere_and_detached_again(disks: Disks) -> None:
    volume_id = disks.make()
    answer = disks.attach(volume_id, tag="data", delete_on_termination=True)["volumeAttachment"]
    assert answer == {
        "id": volume_id,
        "serverId": disks.server_id,
        "volumeId": volume_id,
        "device": "/dev/vdb",
        "tag": "data",
        "delete_on_termination": True,
    }
    (one,) = disks.listed()
    assert disks.stage.cloud.member.get(f"{disks.path}/{volume_id}", version=NEWEST)["volumeAttachment"] == one
    assert one["attachment_id"] in disks.service.attachments
    shown = disks.stage.show(disks.server_id)["os-extended-volumes:volumes_attached"]
    assert shown == [{"id": volume_id, "delete_on_termination": True}]
    old = disks.stage.show(disks.server_id, version="2.2")["os-extended-volumes:volumes_attached"]
    assert old == [{"id": volume_id}]
    disks.detach(volume_id)
    disks.until(volume_id, "available")
    assert disks.listed() == []
    disks.detach(volume_id, status=404)


def test_attach__newest__accepted_without_a_body(disks: Disks) -> None:
    volume_id = disks.make()
    assert not disks.attach(volume_id, version=NEWEST, status=202)


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("2.69", {"id", "serverId", "volumeId", "device"}),
        ("2.70", {"id", "serverId", "volumeId", "device", "tag"}),
        ("2.79", {"id", "serverId", "volumeId", "device", "tag", "delete_on_termination"}),
        (
            "2.89",
            {"attachment_id", "bdm_uuid", "serverId", "volumeId", "device", "tag", "delete_on_termination"},
        ),
    ],
)
def test_list__shape_of_each_microversion(disks: Disks, version: str, keys: set[str]) -> None:
    volume_id = disks.make()
    disks.attach(volume_id)
    (one,) = disks.listed(version)
    assert set(one) == keys


def test_list__pages(disks: Disks) -> None:
    volumes = [disks.make() for _ in range(3)]
    for volume_id in volumes:
        disks.attach(volume_id)
    assert [one["volumeId"] for one in disks.listed(query="?limit=2")] == volumes[:2]
    assert [one["volumeId"] for one in disks.listed(query="?limit=2&offset=2")] == volumes[2:]
    assert [one["device"] for one in disks.listed()] == ["/dev/vdb", "/dev/vdc", "/dev/vdd"]


def test_attach__volume_that_can_not_be_had__refused(disks: Disks) -> None:
    volume_id, taken = disks.make(), disks.make(status="in-use")
    foreign = disks.service.make(ProjectId("another project")).id
    disks.post(UNKNOWN, status=404)
    disks.post(foreign, status=404)
    assert "must be available" in disks.post(taken, status=400)["badRequest"]["message"]
    disks.attach(volume_id)
    disks.post(volume_id, status=400)
    disks.post("no id", status=400)
    disks.post(volume_id, status=400, surprise=1)
    disks.post(volume_id, status=400, version="2.48", tag="x")
    disks.post(volume_id, status=400, version="2.78", delete_on_termination=True)


def test_update__delete_on_termination_alone_can_be_changed(disks: Disks) -> None:
    volume_id = disks.make()
    disks.attach(volume_id)
    disks.put(volume_id, volumeId=volume_id, delete_on_termination=True)
    assert disks.listed()[0]["delete_on_termination"] is True
    disks.put(volume_id, volumeId=volume_id, device="/dev/sdz", status=400)
    disks.put(UNKNOWN, volumeId=UNKNOWN, delete_on_termination=True, status=404)
    disks.put(volume_id, volumeId=volume_id, delete_on_termination=True, version="2.84", status=400)
    disks.stage.cloud.member.delete(f"{SERVERS}/{disks.server_id}")
    disks.stage.cloud.wait_for(lambda: volume_id not in disks.service.volumes, "the volume to go with its server")


def test_swap__for_administrators_alone(disks: Disks) -> None:
    old, new, small = disks.make(size_gb=2), disks.make(size_gb=2), disks.make(size_gb=1)
    disks.attach(old)
    disks.put(old, volumeId=new, status=403)
    admin = disks.stage.cloud.admin
    assert "not be smaller" in disks.put(old, volumeId=small, who=admin, status=400)["badRequest"]["message"]
    disks.put(old, volumeId=new, who=admin, version="2.1")
    disks.until(old, "available")
    assert [one["volumeId"] for one in disks.listed()] == [new]
    assert disks.service.get(new).status == "in-use"


def test_delete__volumes_are_free_again(disks: Disks) -> None:
    volume_id = disks.make()
    disks.attach(volume_id)
    disks.stage.cloud.member.delete(f"{SERVERS}/{disks.server_id}")
    disks.stage.cloud.wait_for_gone(disks.server_id)
    assert disks.service.get(volume_id).status == "available"


def test_attach__no_block_storage__says_so(stage: Stage) -> None:
    server_id = stage.boot()
    path = f"{SERVERS}/{server_id}/os-volume_attachments"
    assert stage.cloud.member.get(path)["volumeAttachments"] == []
    refused = stage.cloud.member.post(path, {"volumeAttachment": {"volumeId": UNKNOWN}}, status=501)
    assert "no block storage" in str(refused)


def mapping(volume_id: str, **fields: Any) -> dict[str, Any]:
    return {"source_type": "volume", "destination_type": "volume", "uuid": volume_id, **fields}


def test_create__from_a_volume_with_another_beside_it(disks: Disks) -> None:
    root, data = disks.make(bootable=True), disks.make()
    devices = [mapping(root, boot_index=0), mapping(data, boot_index=-1, delete_on_termination=True, tag="data")]
    server_id = disks.stage.boot(imageRef=None, block_device_mapping_v2=devices)
    assert disks.stage.show(server_id)["image"] == ""
    path = f"{SERVERS}/{server_id}/os-volume_attachments"
    shown = disks.stage.cloud.member.get(path, version=NEWEST)["volumeAttachments"]
    assert [(one["volumeId"], one["device"], one["tag"]) for one in shown] == [
        (root, "/dev/vda", None),
        (data, "/dev/vdb", "data"),
    ]
    assert disks.service.get(root).status == disks.service.get(data).status == "in-use"
    disks.stage.cloud.member.delete(f"{path}/{root}", status=400)


def test_create__from_an_image_with_a_volume(disks: Disks) -> None:
    data, stage = disks.make(), disks.stage
    image = {"source_type": "image", "destination_type": "local", "boot_index": 0, "uuid": stage.image}
    stage.boot(block_device_mapping_v2=[image, mapping(data)])
    assert disks.service.get(data).status == "in-use"


def test_create__volumes_that_make_no_sense__refused(disks: Disks) -> None:
    stage, root, plain = disks.stage, disks.make(bootable=True), disks.make()
    taken = disks.make(bootable=True, status="in-use")

    def refused(status: int, *devices: Any, **fields: Any) -> str:
        return stage.refused(status, **{"imageRef": None, "block_device_mapping_v2": list(devices), **fields})

    assert "not bootable" in refused(400, mapping(plain, boot_index=0))
    assert "must be available" in refused(400, mapping(taken, boot_index=0))
    assert "failed to get volume" in refused(400, mapping(UNKNOWN, boot_index=0))
    assert "named twice" in refused(400, mapping(root, boot_index=0), mapping(root))
    assert "Boot sequence" in refused(400, mapping(root, boot_index=0), mapping(plain, boot_index=0))
    assert "several servers" in refused(400, mapping(root, boot_index=0), min_count=2)
    assert "Missing imageRef" in refused(400, mapping(plain))
    to_make = {"source_type": "image", "destination_type": "volume", "boot_index": 0, "uuid": stage.image}
    assert "not made while" in refused(501, {**to_make, "volume_size": 1})
    assert "not made while" in refused(501, {"source_type": "blank", "destination_type": "volume", "volume_size": 1})


def test_root_volume__rescue_and_rebuild__as_their_microversions_allow(disks: Disks) -> None:
    stage = disks.stage
    root = disks.make(bootable=True, image_id=stage.image)
    server_id = stage.boot(imageRef=None, block_device_mapping_v2=[mapping(root, boot_index=0)])
    rescue, rebuild = {"rescue": {"rescue_image_ref": stage.image}}, {"rebuild": {"imageRef": stage.image}}
    stage.act(server_id, rescue, version="2.86", status=400)
    stage.act(server_id, rebuild, version="2.92")
    stage.cloud.wait_for_status(server_id, "ACTIVE")
    assert stage.show(server_id)["image"] == ""
    disks.service.volumes[root] = msgspec.structs.replace(disks.service.get(root), image_id=None)
    refused = stage.act(server_id, rebuild, version="2.92", status=400)
    assert "different image" in refused["badRequest"]["message"]
    stage.act(server_id, rebuild, version="2.93", status=501)
    stage.act(server_id, rescue, version="2.87", status=200)
    stage.cloud.wait_for_status(server_id, "RESCUE")
