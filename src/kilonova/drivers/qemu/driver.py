"""The `qemu` driver: `Driver` for the one machine that it runs on. What is done lies in a module for each kind of work.

`power.py` makes, runs, stops and ends guests, `disks.py` and `snapshot.py` deal with their disks, `devices.py` with cards and
volumes, `guest_agent.py` with the agent inside. `guests.py` holds what all of them use.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kilonova.drivers.driver import ImageSink, ImageSource
from kilonova.drivers.qemu import resources
from kilonova.drivers.qemu.console import ConsoleLog
from kilonova.drivers.qemu.devices import UNPLUG_S, Devices
from kilonova.drivers.qemu.diagnostics import diagnostics
from kilonova.drivers.qemu.disks import Disks
from kilonova.drivers.qemu.guests import Guests
from kilonova.drivers.qemu.machine import MEMORY_BYTES_A_SECOND
from kilonova.drivers.qemu.migration import Migration
from kilonova.drivers.qemu.offers import Offers
from kilonova.drivers.qemu.power import Power
from kilonova.drivers.qemu.resources import WHOLE, Share
from kilonova.drivers.qemu.snapshot import snapshot_store
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.diagnostics import Diagnostics
from kilonova.objects.guest import Guest, GuestImage, GuestNic, GuestSpec, GuestVolume, HostDescription
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
        self,
        runtime: Runtime,
        state_dir: Path,
        *,
        host: HostName | None = None,
        share: Share = WHOLE,
        volumes: Path | None = None,
        storage: Path | None = None,
        soft_reboot_grace_s: float = 60.0,
        unplug_s: float = UNPLUG_S,
        migration_bytes_a_second: int = MEMORY_BYTES_A_SECOND,
    ) -> None:
        """Keep guests and images below `state_dir`, and serve the host named `host`.

        Without `host` it is called what this machine was called when the state directory was made, so that a machine
        that changes its name keeps its guests. `share` is the host's part of the machine. A soft reboot waits
        `soft_reboot_grace_s` seconds for the guest to shut down before it is reset. Volumes that are files of this
        machine are used if they lie below `volumes`. A guest that is asked to let a device go has `unplug_s` seconds
        for it. Hosts with the same `storage` share their guests' disks there. Memory goes to another host at
        `migration_bytes_a_second` at most.
        """
        self._runtime = runtime
        self._guests = Guests(runtime, state_dir, host, share, volumes, storage)
        self._power = Power(self._guests, soft_reboot_grace_s)
        self._disks = Disks(self._guests)
        self._devices = Devices(self._guests, unplug_s)
        self._offers = Offers(self._guests)
        self._migration = Migration(self._guests, migration_bytes_a_second)

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
        part = self._guests.share.of
        description = HostDescription(
            name=self._guests.host,
            hypervisor_type="QEMU",
            hypervisor_version=major * 1_000_000 + minor * 1_000 + micro,
            vcpus=part(resources.vcpus()),
            memory_mb=part(resources.memory_mb()),
            disk_gb=part(resources.disk_gb(self._guests.state_dir)),
            host_ip="127.0.0.1",
            cpu_info=resources.cpu_info(),
            booted_at=resources.booted_at(),
            traits=_TRAITS,
            storage=self._guests.storage.name if self._guests.storage else None,
            reserved_memory_mb=part(RESERVED_MEMORY_MB),
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
        await self._power.destroy(host, server_id, generation, keep_disks=keep_disks)

    async def guest_start(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_start`."""
        return await self._power.start(host, server_id, generation)

    async def guest_stop(self, host: HostName, server_id: ServerId, generation: int, grace_s: float) -> Guest:
        """See `Driver.guest_stop`."""
        return await self._power.stop(host, server_id, generation, grace_s)

    async def guest_reboot(self, host: HostName, server_id: ServerId, generation: int, *, hard: bool) -> Guest:
        """See `Driver.guest_reboot`."""
        return await self._power.reboot(host, server_id, generation, hard=hard)

    async def guest_pause(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_pause`."""
        return await self._power.pause(host, server_id, generation)

    async def guest_unpause(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_unpause`."""
        return await self._power.unpause(host, server_id, generation)

    async def guest_suspend(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_suspend`."""
        return await self._power.suspend(host, server_id, generation)

    async def guest_resume(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_resume`."""
        return await self._power.resume(host, server_id, generation)

    async def guest_rescue(self, host: HostName, spec: GuestSpec, images: ImageSource) -> Guest:
        """See `Driver.guest_rescue`."""
        return await self._disks.rescue(host, spec, images)

    async def guest_unrescue(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_unrescue`."""
        return await self._disks.unrescue(host, server_id, generation)

    async def guest_rebuild(
        self, host: HostName, spec: GuestSpec, images: ImageSource, *, run: bool, keep_disk: bool = False
    ) -> Guest:
        """See `Driver.guest_rebuild`."""
        return await self._disks.rebuild(host, spec, images, run=run, keep_disk=keep_disk)

    async def guest_resize(self, host: HostName, spec: GuestSpec, *, run: bool) -> Guest:
        """See `Driver.guest_resize`."""
        return await self._disks.resize(host, spec, run=run)

    async def guest_resize_confirm(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_resize_confirm`."""
        return await self._disks.resize_confirm(host, server_id, generation)

    async def guest_resize_revert(self, host: HostName, server_id: ServerId, generation: int, *, run: bool) -> Guest:
        """See `Driver.guest_resize_revert`."""
        return await self._disks.resize_revert(host, server_id, generation, run=run)

    async def guest_password_set(self, host: HostName, server_id: ServerId, generation: int, password: str) -> Guest:
        """See `Driver.guest_password_set`."""
        return await self._power.password_set(host, server_id, generation, password)

    async def guest_crash_dump(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_crash_dump`."""
        return await self._power.crash_dump(host, server_id, generation)

    async def guest_snapshot(
        self, host: HostName, server_id: ServerId, generation: int, image_id: str, disk_format: str, sink: ImageSink
    ) -> Guest:
        """See `Driver.guest_snapshot`."""
        return await snapshot_store(self._guests, host, server_id, generation, image_id, disk_format, sink)

    async def nic_attach(self, host: HostName, server_id: ServerId, generation: int, nic: GuestNic) -> Guest:
        """See `Driver.nic_attach`."""
        return await self._devices.nic_attach(host, server_id, generation, nic)

    async def nic_detach(self, host: HostName, server_id: ServerId, generation: int, port_id: str) -> Guest:
        """See `Driver.nic_detach`."""
        return await self._devices.nic_detach(host, server_id, generation, port_id)

    async def volume_attach(self, host: HostName, server_id: ServerId, generation: int, volume: GuestVolume) -> Guest:
        """See `Driver.volume_attach`."""
        return await self._devices.volume_attach(host, server_id, generation, volume)

    async def volume_detach(self, host: HostName, server_id: ServerId, generation: int, volume_id: str) -> Guest:
        """See `Driver.volume_detach`."""
        return await self._devices.volume_detach(host, server_id, generation, volume_id)

    async def volume_swap(
        self, host: HostName, server_id: ServerId, generation: int, volume_id: str, new: GuestVolume
    ) -> Guest:
        """See `Driver.volume_swap`."""
        return await self._devices.volume_swap(host, server_id, generation, volume_id, new)

    async def guest_offer(self, host: HostName, server_id: ServerId, generation: int) -> dict[str, Any]:
        """See `Driver.guest_offer`."""
        return await self._offers.offer(host, server_id, generation)

    async def guest_offer_end(self, host: HostName, server_id: ServerId, generation: int) -> Guest | None:
        """See `Driver.guest_offer_end`."""
        return await self._offers.offer_end(host, server_id, generation)

    async def guest_receive(
        self, host: HostName, spec: GuestSpec, offer: Mapping[str, Any], images: ImageSource, *, run: bool
    ) -> Guest:
        """See `Driver.guest_receive`."""
        return await self._offers.receive(host, spec, offer, images, run=run)

    async def guest_incoming(
        self, host: HostName, spec: GuestSpec, images: ImageSource, *, shared: bool
    ) -> dict[str, Any]:
        """See `Driver.guest_incoming`."""
        return await self._migration.incoming(host, spec, images, shared=shared)

    async def guest_migrate(
        self, host: HostName, server_id: ServerId, generation: int, incoming: Mapping[str, Any], *, shared: bool
    ) -> None:
        """See `Driver.guest_migrate`."""
        await self._migration.migrate(host, server_id, generation, incoming, shared=shared)

    async def guest_migrate_abort(self, host: HostName, server_id: ServerId) -> None:
        """See `Driver.guest_migrate_abort`."""
        await self._migration.abort(host, server_id)

    async def guest_migrate_force(self, host: HostName, server_id: ServerId) -> None:
        """See `Driver.guest_migrate_force`."""
        await self._migration.force(host, server_id)

    async def guest_arrived(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_arrived`."""
        return await self._migration.arrived(host, server_id, generation)

    async def console_output(self, host: HostName, server_id: ServerId, lines: int | None) -> str:
        """See `Driver.console_output`."""
        guests = self._guests
        record = guests.records.get(server_id)
        if host != guests.host or record is None:
            return ""
        await guests.machine(record).look()
        with guests.failures("read the console"):
            return await self._runtime.run_blocking(ConsoleLog(guests.dirs.path(server_id)).text, lines)

    async def guest_diagnostics(self, host: HostName, server_id: ServerId) -> Diagnostics:
        """See `Driver.guest_diagnostics`."""
        return await diagnostics(self._guests, host, server_id)

    async def image_fetch(self, host: HostName, image: GuestImage, images: ImageSource) -> None:
        """See `Driver.image_fetch`."""
        if host == self._guests.host:
            with self._guests.failures(f"fetch the image {image.id}"):
                await self._guests.cache.fetch(image, images)

    async def images_cached(self) -> Sequence[str]:
        """See `Driver.images_cached`."""
        return await self._guests.cache.cached()

    async def images_clean(self, unused_for_s: float) -> Sequence[str]:
        """See `Driver.images_clean`."""
        with self._guests.failures("clean the image cache"):
            return await self._guests.cache.clean(unused_for_s)
