"""What the fake driver has beyond the contract: many hosts, timings, faults."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from kilonova.drivers.driver import HypervisorFailure
from kilonova.drivers.fake.driver import FakeDriver
from kilonova.drivers.fake.size import FakeHostSize
from kilonova.drivers.fake.timings import FakeTimings
from kilonova.kernel.ids import HostName
from kilonova.objects.guest import PowerState
from kilonova.runtime.real import RealRuntime
from kilonova.testing.guests import SERVER, Images, guest_spec

HOST = HostName("fake-00001")


class PatientRuntime(RealRuntime):
    """Notes what it is asked to sleep, and doesn't."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, delay_s: float) -> None:
        self.slept.append(delay_s)


def run(driver: FakeDriver, scenario: Callable[[FakeDriver], Awaitable[None]]) -> None:
    async def play() -> None:
        await driver.start()
        await scenario(driver)
        await driver.close()

    asyncio.run(play())


def test_hosts__ten_thousand__are_named_in_order(tmp_path: Path) -> None:
    async def scenario(driver: FakeDriver) -> None:
        hosts = await driver.hosts()
        assert [hosts[0].name, hosts[-1].name, len(hosts)] == ["fake-00001", "fake-10000", 10_000]
        assert (hosts[7].vcpus, hosts[7].memory_mb, hosts[7].disk_gb) == (8, 1024, 10)
        assert len({host.host_ip for host in hosts}) == 10_000

    size = FakeHostSize(vcpus=8, memory_mb=1024, disk_gb=10)
    run(FakeDriver(RealRuntime(), tmp_path / "hypervisor", 10_000, size=size), scenario)


@pytest.mark.parametrize("hosts", [-1, 10_001])
def test_hosts__too_many_or_less_than_none__is_refused(tmp_path: Path, hosts: int) -> None:
    with pytest.raises(ValueError, match="0 to 10000 can be had"):
        FakeDriver(RealRuntime(), tmp_path / "hypervisor", hosts)


def test_timings__each_action__takes_its_time(tmp_path: Path) -> None:
    async def scenario(driver: FakeDriver) -> None:
        await driver.guest_ensure(HOST, guest_spec(None), Images())
        await driver.guest_ensure(HOST, guest_spec(None), Images())
        await driver.guest_reboot(HOST, SERVER, 2, hard=True)
        await driver.guest_stop(HOST, SERVER, 3, grace_s=60)
        await driver.guest_start(HOST, SERVER, 4)
        await driver.guest_stop(HOST, SERVER, 5, grace_s=1)
        await driver.guest_destroy(HOST, SERVER, 6)

    runtime = PatientRuntime()
    timings = FakeTimings(boot_s=10, reboot_s=20, stop_s=30, start_s=40, destroy_s=50)
    run(FakeDriver(runtime, tmp_path / "hypervisor", 1, timings=timings), scenario)
    assert runtime.slept == [10, 20, 30, 40, 1, 50]


def test_timings__everything_else__takes_the_time_of_a_change_once(tmp_path: Path) -> None:
    async def scenario(driver: FakeDriver) -> None:
        await driver.guest_ensure(HOST, guest_spec(None), Images())
        await driver.guest_pause(HOST, SERVER, 2)
        await driver.guest_pause(HOST, SERVER, 2)
        await driver.guest_rebuild(HOST, guest_spec(None, generation=3), Images(), run=True)

    runtime = PatientRuntime()
    timings = FakeTimings(boot_s=10, change_s=5)
    run(FakeDriver(runtime, tmp_path / "hypervisor", 1, timings=timings), scenario)
    assert runtime.slept == [10, 5, 10]


def test_fail_next__ordered_once__fails_once_and_changes_nothing(tmp_path: Path) -> None:
    async def scenario(driver: FakeDriver) -> None:
        await driver.guest_ensure(HOST, guest_spec(None), Images())
        driver.faults.fail_next("guest_stop", reason="the disk is on fire.")
        with pytest.raises(HypervisorFailure, match="could not guest stop: the disk is on fire"):
            await driver.guest_stop(HOST, SERVER, 2, grace_s=0)
        (guest,) = await driver.guests()
        assert (guest.generation, guest.power_state) == (1, PowerState.RUNNING)
        stopped = await driver.guest_stop(HOST, SERVER, 2, grace_s=0)
        assert stopped.power_state is PowerState.SHUTDOWN

    run(FakeDriver(RealRuntime(), tmp_path / "hypervisor", 1), scenario)


def test_ensure__same_server_on_two_hosts__is_two_guests(tmp_path: Path) -> None:
    async def scenario(driver: FakeDriver) -> None:
        spec = guest_spec(None)
        await driver.guest_ensure(HOST, spec, Images())
        await driver.guest_ensure(HostName("fake-00002"), msgspec.structs.replace(spec, generation=2), Images())
        await driver.guest_destroy(HOST, SERVER, 1)
        (guest,) = await driver.guests()
        assert (guest.host, guest.generation) == ("fake-00002", 2)

    run(FakeDriver(RealRuntime(), tmp_path / "hypervisor", 2), scenario)


def test_secrets__of_the_config_drive__are_not_in_the_file(tmp_path: Path) -> None:
    async def scenario(driver: FakeDriver) -> None:
        await driver.guest_ensure(HOST, guest_spec(None, config_drive={"a": b"secret-password"}), Images())

    run(FakeDriver(RealRuntime(), tmp_path / "hypervisor", 1), scenario)
    assert not any(b"secret-password" in path.read_bytes() for path in tmp_path.iterdir())


def test_start__file_is_no_database__says_which(tmp_path: Path) -> None:
    (tmp_path / "hypervisor").write_text("certainly not a database" * 100)
    with pytest.raises(HypervisorFailure, match=f"{tmp_path}/hypervisor can't be used"):
        asyncio.run(FakeDriver(RealRuntime(), tmp_path / "hypervisor", 1).start())
