"""Two QEMU hosts on this machine, each a process of its own: servers move between them, and what runs in them goes on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.counting import counter_disk, counts
from kilonova.drivers.qemu.probe import Unusable, emulator_find
from tools.up_cloud import UpCloud

pytestmark = [pytest.mark.interop, pytest.mark.qemu]
NEWEST = {"OpenStack-API-Version": "compute 2.96"}
STOPS_S = 180.0
"""How long it may take to stop a guest that has no ear for the power button, and to move it then."""
SERVERS = "/compute/v2.1/servers"


def with_partition(disk: bytes) -> bytes:
    """The disk with one partition, from its second sector on: the image service takes no boot sector without."""
    return disk[:446] + bytes.fromhex("80010100830a0a0a01000000ff070000") + disk[462:]


class Cloud:
    """A cloud of two hosts with one server that counts."""

    def __init__(self, up: UpCloud, admin: httpx.Client) -> None:
        self.up = up
        self.admin = admin
        wanted = up.furnish() | {"imageRef": self._image()}
        with up.client("kilonova") as member:
            answer = member.post(SERVERS, json={"server": {"name": "counter", **wanted}}, headers=NEWEST)
            self.server = answer.raise_for_status().json()["server"]["id"]
        up.wait_until_active(self.server)

    def _image(self) -> str:
        with self.up.client("kilonova") as member:
            image = {"name": "counter", "disk_format": "raw", "container_format": "bare"}
            made: str = member.post("/image/v2/images", json=image).raise_for_status().json()["id"]
            kind = {"Content-Type": "application/octet-stream"}
            content = with_partition(counter_disk())
            member.put(f"/image/v2/images/{made}/file", content=content, headers=kind).raise_for_status()
            return made

    def act(self, action: str, arguments: Any = None) -> Any:
        answer = self.admin.post(f"{SERVERS}/{self.server}/action", json={action: arguments}, headers=NEWEST)
        assert answer.status_code in {200, 202, 204}, answer.text
        return answer.json() if answer.content else None

    @property
    def host(self) -> str:
        shown = self.admin.get(f"{SERVERS}/{self.server}").raise_for_status().json()["server"]
        return str(shown["OS-EXT-SRV-ATTR:host"])

    def console(self) -> str:
        return str(self.act("os-getConsoleOutput", {})["output"])

    def counts_on(self) -> str:
        """Wait until the guest has counted some more; its console."""
        before = len(counts(self.console()))
        while len(counts(text := self.console())) < before + 20:
            self.admin.get(SERVERS)
        return text


@pytest.fixture(params=[False, True], ids=["own disks", "shared disks"])
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cloud]:
    try:
        emulator_find(tmp_path / "probe", None)
    except Unusable as reason:
        pytest.skip(str(reason))
    tmp_path.chmod(0o711)
    shared = {"KILONOVA_UP_SHARED_DISKS": str(request.param).lower()}
    with UpCloud(tmp_path / "state", "--hosts", 2, driver="qemu", **shared) as up, up.client() as admin:
        made = Cloud(up, admin)
        try:
            yield made
        finally:
            admin.delete(f"{SERVERS}/{made.server}")
            up.wait_until_gone(made.server)


def test_live_migration__the_guest_counts_on(cloud: Cloud) -> None:
    cloud.counts_on()
    first = cloud.host
    cloud.act("os-migrateLive", {"host": None, "block_migration": "auto"})
    cloud.up.wait_until_active(cloud.server)
    assert cloud.host != first
    console = cloud.counts_on()
    said = counts(console)
    assert console.count("BOOT") == 1
    assert said == list(range(len(said)))


def test_cold_migration__the_disk_comes_along_and_can_be_taken_back_or_stay(cloud: Cloud, tmp_path: Path) -> None:
    first = cloud.host
    cloud.act("migrate")
    cloud.up.wait_until(cloud.server, "VERIFY_RESIZE", within_s=STOPS_S)
    assert cloud.host != first
    cloud.counts_on()
    stays = (tmp_path / "state" / "hypervisor" / "storage").exists()
    cloud.act("confirmResize" if stays else "revertResize")
    cloud.up.wait_until_active(cloud.server, within_s=STOPS_S)
    assert (cloud.host != first) == stays
    cloud.counts_on()
