"""Hosts that run nothing, as the configuration describes them."""

from pathlib import Path

from kilonova.app.config import Fake
from kilonova.drivers.driver import Driver
from kilonova.runtime.runtime import Runtime


def fake_driver(runtime: Runtime, file: Path, hosts: int, fake: Fake) -> Driver:
    """The driver of fake hosts that are as `fake` says, with their guests in `file`, not started yet."""
    from kilonova.drivers.fake.driver import FakeDriver  # noqa: PLC0415 - only one of the drivers is needed
    from kilonova.drivers.fake.size import FakeHostSize  # noqa: PLC0415
    from kilonova.drivers.fake.timings import FakeTimings  # noqa: PLC0415

    size = FakeHostSize(
        numa_nodes=fake.numa_nodes,
        dedicated_cpus=fake.dedicated_cpus,
        huge_pages=fake.huge_pages,
        pci_devices=fake.pci_devices,
    )
    return FakeDriver(runtime, file, hosts, size=size, timings=FakeTimings.of_all(fake.order_s))
