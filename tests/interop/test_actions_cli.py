"""Every action on servers by the real `openstack` client: on guests that compute and say so, and on those that are played."""

import os
import signal
from collections.abc import Iterator

import pytest

from contract.counting import counts
from interop.test_compute_cli import Openstack, _wait
from interop.test_two_hosts import with_partition
from kilonova.drivers.qemu.probe import Unusable, emulator_find
from kilonova.drivers.qemu.process import processes_of
from kilonova.testing.guests import boot_sector
from tools.up_cloud import UpCloud

pytestmark = pytest.mark.interop
LOOKS = 40
BUILD = "server create --wait --flavor small --network net"


def polite_disk() -> bytes:
    """A disk like `counter_disk`, which also hears the power button and switches itself off.

    Before the loop: mov dx, 0x602; mov ax, 0x100; out dx, ax. In it: mov dx, 0x600; in ax, dx; test ah, 1; jz on;
    mov dx, 0x604; mov ax, 0x2000; out dx, ax; on: ... (ACPI specification, "PM1 Event Grouping" and "PM1 Control Grouping")
    """
    code = bytes.fromhex(
        "fc31c08ed88ec08ed0bc007c31edbe667cb90500baf803f36eba0206b80001ef89ebb90400baf803c1c30488d8240f0441eee2f4b00aee"
        "892e007eb80103b90200ba8000bb007ecd13b8008631c9ba204ecd15ba0006edf6c4017407ba0406b80020ef45ebba"
    )
    return boot_sector(code + b"BOOT\n")


class Cloud:
    """A cloud with a network, an image and two flavors."""

    def __init__(self, up: UpCloud, *, computes: bool) -> None:
        self.up = up
        self.computes = computes
        self.admin = Openstack(up.environ("kilonova-admin"))
        self.member = Openstack(up.environ())
        disk = up.state.with_name(f"{up.state.name}.raw")
        disk.write_bytes(with_partition(polite_disk()))
        self.admin("flavor create --vcpus 1 --ram 64 --disk 1 small")
        self.admin("flavor create --vcpus 1 --ram 96 --disk 2 larger")
        self.admin(f"image create --public --disk-format raw --file {disk} image")
        self.member("network create net")
        self.member("subnet create --network net --subnet-range 10.0.0.0/24 subnet")

    def console(self, name: str) -> str:
        return self.member("console log show", name)

    def boots(self, name: str) -> int:
        """How often the guest was booted, by its own word."""
        return self.console(name).count("BOOT")

    def runs(self, name: str) -> None:
        """Wait until the guest has counted on."""
        if not self.computes:
            assert self.member.table("server show", name)["status"] in {"ACTIVE", "RESCUE", "VERIFY_RESIZE"}
            return
        before = counts(self.console(name))
        for _ in range(LOOKS):
            if counts(self.console(name))[-1:] != before[-1:]:
                return
        pytest.fail(f"{name} does not run: {self.console(name)[-200:]}")

    def stands_still(self, name: str) -> None:
        if self.computes:
            assert self.console(name) == self.console(name)

    def power_cut(self, server_id: str) -> None:
        """End the guest and the agents at once, as far as they are processes. Agents are started anew."""
        guests = [guest for guest in self.up.state.glob(f"hypervisor/*/guests/{server_id}") if self.computes]
        for pid in [*self.up.agents(), *(pid for guest in guests for pid in processes_of(guest, server_id))]:
            os.kill(pid, signal.SIGKILL)

    def host(self, name: str) -> str:
        shown = self.admin.table("server show", self.member.table("server show", name)["id"])
        return str(shown["OS-EXT-SRV-ATTR:host"])


@pytest.fixture(scope="module", params=["fake", "qemu"])
def cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("up")
    if request.param == "qemu":
        try:
            emulator_find(folder / "probe", None)
        except Unusable as reason:
            pytest.skip(str(reason))
    for above in (folder, folder.parent):
        above.chmod(0o711)
    shared = {"KILONOVA_UP_SHARED_DISKS": "true"} if request.param == "qemu" else {}
    with UpCloud(folder / "state", "--hosts", 2, driver=request.param, **shared) as up:
        made = Cloud(up, computes=request.param == "qemu")
        yield made
        for row in made.member.table("server list"):
            made.member("server delete --wait", row["ID"])


@pytest.fixture(scope="module")
def name(cloud: Cloud) -> str:
    cloud.member(BUILD, "--image", "image", "guest")
    cloud.runs("guest")
    return "guest"


def test_pause_suspend_and_reboot(cloud: Cloud, name: str) -> None:
    member = cloud.member
    for stop, status, go in (("pause", "PAUSED", "unpause"), ("suspend", "SUSPENDED", "resume")):
        member(f"server {stop} {name}")
        _wait(member, name, status)
        cloud.stands_still(name)
        member(f"server {go} {name}")
        _wait(member, name, "ACTIVE")
        cloud.runs(name)
    assert not cloud.computes or cloud.boots(name) == 1
    for count, kind in enumerate(("--soft", "--hard"), start=2):
        member(f"server reboot {kind} --wait {name}")
        cloud.runs(name)
        assert not cloud.computes or cloud.boots(name) == count


def test_rescue_snapshot_rebuild_and_shelve(cloud: Cloud, name: str) -> None:
    member = cloud.member
    member(f"server rescue --image image {name}")
    _wait(member, name, "RESCUE")
    cloud.runs(name)
    member(f"server unrescue {name}")
    _wait(member, name, "ACTIVE")
    member(f"server image create --wait --name golden {name}")
    member(BUILD, "--image", "golden", "copy")
    cloud.runs("copy")
    member("server delete --wait copy")
    member(f"server rebuild --wait --image golden {name}")
    cloud.runs(name)
    member(f"server shelve --wait {name}")
    _wait(member, name, "SHELVED_OFFLOADED")
    member(f"server unshelve --wait {name}")
    _wait(member, name, "ACTIVE")
    cloud.runs(name)


def test_resize__reverted_and_confirmed(cloud: Cloud, name: str) -> None:
    member = cloud.member
    for end, flavor in (("revert", "small"), ("confirm", "larger")):
        member(f"server resize --flavor larger {name}")
        _wait(member, name, "VERIFY_RESIZE")
        cloud.runs(name)
        member(f"server resize {end} {name}")
        _wait(member, name, "ACTIVE")
        assert member.table(f"server show {name}")["flavor"]["original_name"] == flavor
        cloud.runs(name)


def test_migrate__cold_and_live(cloud: Cloud, name: str) -> None:
    server_id = cloud.member.table(f"server show {name}")["id"]
    first = cloud.host(name)
    cloud.admin("server migrate --wait", server_id)
    cloud.admin("server migration confirm", server_id)
    _wait(cloud.member, name, "ACTIVE")
    second = cloud.host(name)
    assert second != first
    cloud.runs(name)
    boots = cloud.boots(name)
    cloud.admin("server migrate --live-migration --wait", server_id)
    assert cloud.host(name) == first
    cloud.runs(name)
    assert cloud.boots(name) == boots
    assert cloud.computes == bool(boots)


def test_evacuate__host_lost__the_server_goes_on_elsewhere(cloud: Cloud, name: str) -> None:
    server_id = cloud.member.table(f"server show {name}")["id"]
    lost = cloud.host(name)
    cloud.power_cut(server_id)
    cloud.admin(f"compute service set --down {lost} nova-compute")
    try:
        cloud.admin("server evacuate", server_id)
        _wait(cloud.member, name, "SHUTOFF")
        assert cloud.host(name) != lost
    finally:
        cloud.admin(f"compute service set --up {lost} nova-compute")
    cloud.member(f"server start {name}")
    _wait(cloud.member, name, "ACTIVE")
    cloud.runs(name)
