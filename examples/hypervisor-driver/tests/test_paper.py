"""The paper passes the contract of all drivers."""

from pathlib import Path

import pytest
from paper import PaperDriver

from kilonova.drivers.driver import Driver
from kilonova.kernel.ids import ServerId
from kilonova.runtime.runtime import Runtime
from kilonova.testing.driver_contract import DriverContract


class PaperHypervisor:
    """One sheet, and what the suite does to it."""

    host = PaperDriver.host

    def __init__(self, file: Path) -> None:
        self._file = file

    def driver(self, runtime: Runtime) -> PaperDriver:
        return PaperDriver(runtime, self._file)

    def crash(self, driver: Driver, server_id: ServerId) -> None:
        assert isinstance(driver, PaperDriver)
        driver.crash(server_id)

    def boots(self, console: str) -> int:
        return console.count(" on paper\n")


class TestPaper(DriverContract):
    @pytest.fixture
    def hypervisor(self, tmp_path: Path) -> PaperHypervisor:
        return PaperHypervisor(tmp_path / "paper.json")
