"""The `qemu` driver: `Driver` for the one machine that it runs on. What is done lies in a module for each kind of work.

`power.py` makes, runs, stops and ends guests. `guests.py` holds what all of them use. Migration between hosts has its own module.
"""

from collections.abc import Sequence
from pathlib import Path

from kilonova.drivers.driver import ImageSource
from kilonova.drivers.qemu import resources
from kilonova.drivers.qemu.console import ConsoleLog
from kilonova.drivers.qemu.guests import Guests
from kilonova.drivers.qemu.power import Power
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestSpec, HostDescription
from kilonova.runtime.runtime import Runtime

RESERVED_MEMORY_MB = 512
"""Kept for the machine itself; the figure that OpenStack takes for granted (`reserved_host_memory_mb`)."""
_TRAITS = (
    "COMPUTE_IMAGE_TYPE_AKI",
    "COMPUTE_IMAGE_TYPE_AMI",
    "COMPUTE_IMAGE_TYPE_ARI",
    "COMPUTE_IMAGE_TYPE_QCOW2",
    "COMPUTE_IMAGE_TYPE_RAW",
    "COMPUTE_NODE",
    "HW_ARCH_X86_64",
)
_NETWORK_NOTICE = (
    "Guests reach nothing outside themselves: each has a network of its own that gives it its address. "
    "This machine reaches their SSH by a port on its loopback."
)


class QemuDriver:
    """Implements `Driver`; each method's meaning is there."""

    name = "qemu"

    def __init__(
        self, runtime: Runtime, state_dir: Path, *, host: HostName | None = None, soft_reboot_grace_s: float = 60.0
    ) -> None:
        """Keep guests and images below `state_dir`, and serve the host named `host`.

        Without `host` it is called what this machine was called when the state directory was made, so that a machine
        that changes its name keeps its guests. A soft reboot waits `soft_reboot_grace_s` seconds for the guest to shut
        down before it is reset.
        """
        self._runtime = runtime
        self._guests = Guests(runtime, state_dir, host)
        self._power = Power(self._guests, soft_reboot_grace_s)

    async def start(self) -> None:
        """See `Driver.start`."""
        await self._guests.start()

    def notices(self) -> Sequence[str]:
        """See `Driver.notices`."""
        notice = self._guests.emulator.notice
        return (notice, _NETWORK_NOTICE) if notice else (_NETWORK_NOTICE,)

    async def close(self) -> None:
        """See `Driver.close`."""

    async def hosts(self) -> Sequence[HostDescription]:
        """See `Driver.hosts`."""
        major, minor, micro = self._guests.emulator.version
        description = HostDescription(
            name=self._guests.host,
            hypervisor_type="QEMU",
            hypervisor_version=major * 1_000_000 + minor * 1_000 + micro,
            vcpus=resources.vcpus(),
            memory_mb=resources.memory_mb(),
            disk_gb=resources.disk_gb(self._guests.state_dir),
            host_ip="127.0.0.1",
            cpu_info=resources.cpu_info(),
            traits=_TRAITS,
            reserved_memory_mb=RESERVED_MEMORY_MB,
        )
        return (description,)

    async def guests(self) -> Sequence[Guest]:
        """See `Driver.guests`. Brings in console output, and ends the QEMU of guests that have shut themselves down."""
        looks = [await self._power.look(server_id) for server_id in list(self._guests.records)]
        return [guest for guest in looks if guest]

    async def guest_ensure(self, host: HostName, spec: GuestSpec, images: ImageSource, *, run: bool = True) -> Guest:
        """See `Driver.guest_ensure`."""
        return await self._power.ensure(host, spec, images, run=run)

    async def guest_destroy(
        self, host: HostName, server_id: ServerId, generation: int, *, keep_disks: bool = False
    ) -> None:
        """See `Driver.guest_destroy`."""
        await self._power.destroy(host, server_id, generation)

    async def guest_start(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_start`."""
        return await self._power.start(host, server_id, generation)

    async def guest_stop(self, host: HostName, server_id: ServerId, generation: int, grace_s: float) -> Guest:
        """See `Driver.guest_stop`."""
        return await self._power.stop(host, server_id, generation, grace_s)

    async def guest_reboot(self, host: HostName, server_id: ServerId, generation: int, *, hard: bool) -> Guest:
        """See `Driver.guest_reboot`."""
        return await self._power.reboot(host, server_id, generation, hard=hard)

    async def console_output(self, host: HostName, server_id: ServerId, lines: int | None) -> str:
        """See `Driver.console_output`."""
        guests = self._guests
        record = guests.records.get(server_id)
        if host != guests.host or record is None:
            return ""
        await guests.machine(record).look()
        with guests.failures("read the console"):
            return await self._runtime.run_blocking(ConsoleLog(guests.dirs.path(server_id)).text, lines)

    async def images_cached(self) -> Sequence[str]:
        """See `Driver.images_cached`."""
        return await self._guests.cache.cached()

    async def images_clean(self, unused_for_s: float) -> Sequence[str]:
        """See `Driver.images_clean`."""
        with self._guests.failures("clean the image cache"):
            return await self._guests.cache.clean(unused_for_s)
