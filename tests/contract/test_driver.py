"""Our own drivers pass the contract of all drivers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from contract.hypervisors import FakeHypervisor, QemuHosts, QemuHypervisor, SimHypervisor, qemu_missing
from kilonova.drivers.driver import Driver
from kilonova.testing.devices_contract import DevicesContract
from kilonova.testing.driver_contract import DriverContract, destroy_all, play
from kilonova.testing.moves_contract import MovesContract, SharedMovesContract, play_both
from kilonova.testing.orders_contract import OrdersContract


class TestFake(DriverContract, OrdersContract, DevicesContract, MovesContract, SharedMovesContract):
    @pytest.fixture
    @override
    def hypervisor(self, tmp_path: Path) -> FakeHypervisor:
        return FakeHypervisor(tmp_path)

    @pytest.fixture
    @override
    def two_hosts(self, tmp_path: Path) -> FakeHypervisor:
        return FakeHypervisor(tmp_path)

    @pytest.fixture
    @override
    def shared_hosts(self, tmp_path: Path) -> FakeHypervisor:
        return FakeHypervisor(tmp_path, "shared")


class TestSim(DriverContract, OrdersContract, DevicesContract, MovesContract, SharedMovesContract):
    @pytest.fixture
    @override
    def hypervisor(self) -> SimHypervisor:
        return SimHypervisor()

    @pytest.fixture
    @override
    def two_hosts(self) -> SimHypervisor:
        return SimHypervisor()

    @pytest.fixture
    @override
    def shared_hosts(self) -> SimHypervisor:
        return SimHypervisor("shared")


@pytest.mark.qemu
class TestQemu(DriverContract, OrdersContract, MovesContract, SharedMovesContract):
    @pytest.fixture
    @override
    def hypervisor(self, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QemuHypervisor]:
        reason = qemu_missing(tmp_path_factory.getbasetemp() / "probe")
        if reason:
            pytest.skip(reason)
        qemu = QemuHypervisor(tmp_path)
        yield qemu
        play(qemu, destroy_all)

    @pytest.fixture
    @override
    def two_hosts(self, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QemuHosts]:
        yield from _two_hosts(tmp_path, tmp_path_factory, shared=False)

    @pytest.fixture
    @override
    def shared_hosts(self, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QemuHosts]:
        yield from _two_hosts(tmp_path, tmp_path_factory, shared=True)


def _two_hosts(folder: Path, factory: pytest.TempPathFactory, *, shared: bool) -> Iterator[QemuHosts]:
    reason = qemu_missing(factory.getbasetemp() / "probe")
    if reason:
        pytest.skip(reason)
    hosts = QemuHosts(folder, shared=shared)
    yield hosts

    async def end(here: Driver, there: Driver) -> None:
        await destroy_all(here)
        await destroy_all(there)

    play_both(hosts, end)
