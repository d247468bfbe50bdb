"""Volumes of a real Cinder: given to servers, on servers that move, as root disks, and in a real guest."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from interop.real_cloud import MARKS, Cloud, real_cloud
from kilonova.drivers.qemu.probe import Unusable, emulator_find

pytestmark = MARKS
ROOT = Path(__file__).parents[2]
SEEN = """#!/bin/sh
(while true; do echo "disks: $(ls /sys/block | tr '\\n' ' ')"; sleep 1; done) > /dev/console 2>&1 &
"""
WAIT_S = 120.0


class Stage:
    """An image, a network and a flavor, all of one name, and servers of them."""

    def __init__(self, cloud: Cloud, *, size_mb: int = 64) -> None:
        self.cloud = cloud
        self.name = f"volumes-{uuid.uuid4().hex[:8]}"
        cloud.openstack(f"network create {self.name}")
        cloud.openstack(f"subnet create --network {self.name} --subnet-range 10.79.0.0/24 {self.name}")
        cloud.admin.openstack(f"flavor create --vcpus 1 --ram {size_mb} --disk 1 {self.name}")

    def image(self, content: Path, *, format: str = "raw", **properties: str) -> str:
        given = " ".join(f"--property {key}={value}" for key, value in properties.items())
        formats = f"--disk-format {format} --container-format {'bare' if format == 'raw' else format}"
        made = self.cloud.openstack(f"image create {formats} --file {content} {given} {self.name}")
        return str(made["id"])

    def volume(self, *options: str) -> str:
        made = self.cloud.openstack("volume create --size 1", *options, f"{self.name}-data")
        self.until(made["id"], "available")
        return str(made["id"])

    def status(self, volume_id: str) -> str:
        return str(self.cloud.openstack(f"volume show {volume_id}")["status"])

    def until(self, volume_id: str, status: str) -> None:
        wait(lambda: self.status(volume_id) == status, f"{volume_id} to be {status}")

    def server(self, *more: str) -> str:
        self.cloud.openstack(f"server create --flavor {self.name} --network {self.name}", *more, self.name)
        return str(self.cloud.server_when(self.name, "ACTIVE")["id"])

    def attachments(self, server_id: str) -> list[dict[str, Any]]:
        listed = f"volume attachment list --os-volume-api-version 3.44 --all-projects --server-id {server_id}"
        return list(self.cloud.admin.openstack(listed))


def wait(reached: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + WAIT_S
    while not reached():
        assert time.monotonic() < give_up, f"waited for {what}"
        time.sleep(0.5)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with real_cloud(tmp_path, "--hosts", "2") as cloud:
        yield Stage(cloud)


def test_volume__attached_moved_along_detached_and_free_again(stage: Stage, tmp_path: Path) -> None:
    cloud, disk = stage.cloud, tmp_path / "disk.raw"
    disk.write_bytes(bytes(1 << 20))
    stage.image(disk)
    server_id, volume_id = stage.server("--image", stage.name), stage.volume()

    cloud.openstack(f"server add volume {server_id} {volume_id}")
    stage.until(volume_id, "in-use")
    (before,) = stage.attachments(server_id)
    other = stage.cloud.openstack(f"server volume list {server_id}")
    assert [one["Volume ID"] for one in other] == [volume_id]

    cloud.admin.openstack(f"server migrate {server_id}")
    cloud.server_when(stage.name, "VERIFY_RESIZE")
    assert len(stage.attachments(server_id)) == 2
    cloud.openstack(f"server migrate confirm {server_id}")
    cloud.server_when(stage.name, "ACTIVE")
    (after,) = stage.attachments(server_id)
    assert after["ID"] != before["ID"]
    assert stage.status(volume_id) == "in-use"

    cloud.openstack(f"server remove volume {server_id} {volume_id}")
    stage.until(volume_id, "available")
    cloud.openstack(f"server delete --wait {server_id}")
    assert stage.attachments(server_id) == []
    cloud.openstack(f"volume delete {volume_id}")


def test_volume__in_use_by_another__refused_at_once(stage: Stage, tmp_path: Path) -> None:
    cloud, disk = stage.cloud, tmp_path / "disk.raw"
    disk.write_bytes(bytes(1 << 20))
    stage.image(disk)
    server_id, volume_id = stage.server("--image", stage.name), stage.volume("--bootable")
    cloud.openstack(f"server add volume {server_id} {volume_id}")
    stage.until(volume_id, "in-use")
    other = f"server create --flavor {stage.name} --network {stage.name} --volume {volume_id} other"
    cloud.openstack(other, fails="it must be available")
    cloud.openstack(f"server delete --wait {server_id}")
    stage.until(volume_id, "available")
    cloud.openstack(f"volume delete {volume_id}")


def test_volume__as_root_disk__stays_when_the_server_goes(stage: Stage) -> None:
    volume_id = stage.volume("--bootable")
    server_id = stage.server("--volume", volume_id)
    stage.until(volume_id, "in-use")
    stage.cloud.openstack(f"server delete --wait {server_id}")
    stage.until(volume_id, "available")
    stage.cloud.openstack(f"volume delete {volume_id}")


@pytest.mark.qemu
def test_volume__in_a_real_guest__comes_and_goes(tmp_path: Path) -> None:
    try:
        emulator_find(tmp_path / "probe", None)
    except Unusable as reason:
        pytest.skip(str(reason))
    files = guest_image()
    tmp_path.chmod(0o711)
    with real_cloud(tmp_path, driver="qemu") as cloud:
        stage = Stage(cloud, size_mb=128)
        parts = {name: stage.image(Path(files[name]), format=kind) for name, kind in KINDS}
        image = stage.image(Path(files["disk"]), kernel_id=parts["kernel"], ramdisk_id=parts["ramdisk"])
        script = tmp_path / "script"
        script.write_text(SEEN)
        server_id = stage.server("--image", image, "--user-data", str(script), "--config-drive", "True")
        volume_id = stage.volume()

        def last_disks() -> str:
            said = cloud.text(f"console log show {server_id}").splitlines()
            return next((line for line in reversed(said) if line.startswith("disks:")), "")

        wait(lambda: bool(last_disks()), "the guest to say its disks")
        before = last_disks().split()
        cloud.openstack(f"server add volume {server_id} {volume_id}")
        wait(lambda: len(last_disks().split()) == len(before) + 1, "the guest to see the volume")
        cloud.openstack(f"server remove volume {server_id} {volume_id}")
        wait(lambda: last_disks().split() == before, "the guest to lose the volume")
        stage.until(volume_id, "available")
        cloud.openstack(f"server delete --wait {server_id}")
        cloud.openstack(f"volume delete {volume_id}")


KINDS = (("kernel", "aki"), ("ramdisk", "ari"))


def guest_image() -> dict[str, str]:
    """The demo's guest: kernel, ramdisk and disk. Skips the test where that can't be made."""
    maker = [sys.executable, str(ROOT / "tools/guest_image/make.py"), str(ROOT / ".cache/guest-image")]
    made = subprocess.run(maker, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"the guest image can't be made here: {made.stderr.strip()}")
    files: dict[str, str] = json.loads(made.stdout)
    return files
