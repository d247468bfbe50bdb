"""What the suites of real guests share. Suites for every driver bring a hypervisor of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.hypervisors import QemuHypervisor, qemu_missing
from kilonova.testing.driver_contract import destroy_all, play
from kilonova.testing.guests import Images


@pytest.fixture
def hypervisor(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QemuHypervisor]:
    """QEMU with a directory of its own, in which no guest is left afterwards."""
    reason = qemu_missing(tmp_path_factory.getbasetemp() / "probe")
    if reason:
        pytest.skip(reason)
    qemu = QemuHypervisor(tmp_path)
    yield qemu
    play(qemu, destroy_all)


@pytest.fixture
def images() -> Images:
    """The image service."""
    return Images()
