"""A hypervisor of thousands of hosts that runs nothing, but remembers, takes its time and fails as told."""

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kilonova.drivers.driver import HypervisorFailure, ImageSource, StaleGeneration
from kilonova.drivers.fake.store import FakeGuest, FakeStore
from kilonova.drivers.fake.timings import FakeFaults, FakeTimings
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestImage, GuestSpec, HostDescription, PowerState
from kilonova.runtime.runtime import Runtime

MAX_HOSTS = 10_000


class FakeHostSize(msgspec.Struct, frozen=True, kw_only=True):
    """The resources of each fake host."""

    vcpus: int = 64
    memory_mb: int = 256 * 1024
    disk_gb: int = 4096


class FakeDriver:
    """Implements `Driver` on a `FakeStore`: what it wrote is there after the end of the process, like real guests."""

    name = "fake"

    def __init__(
        self,
        runtime: Runtime,
        path: Path,
        hosts: int,
        *,
        size: FakeHostSize | None = None,
        timings: FakeTimings | None = None,
    ) -> None:
        """Serve the hosts `fake-00001` to `fake-<hosts>`, with guests kept in the file at `path`.

        Raises:
            ValueError: `hosts` is not between 0 and 10,000.
        """
        if not 0 <= hosts <= MAX_HOSTS:
            raise ValueError(f"{hosts} fake hosts were asked for; 0 to {MAX_HOSTS} can be had.")
        self.timings = timings or FakeTimings()
        self.faults = FakeFaults()
        self._runtime = runtime
        self._path = path
        self._size = size or FakeHostSize()
        self._host_names = {HostName(f"fake-{number:05}"): number for number in range(1, hosts + 1)}
        self._opened: FakeStore | None = None

    async def start(self) -> None:
        """See `Driver.start`."""
        try:
            self._opened = FakeStore(self._path)
        except sqlite3.Error as error:
            reason = f"the file {self._path} can't be used: {error}"
            raise HypervisorFailure(host="the fake hosts", action="start", reason=reason) from error

    def notices(self) -> Sequence[str]:
        """See `Driver.notices`."""
        return ("The hypervisor is fake: servers become ACTIVE, but no virtual machine runs.",)

    async def close(self) -> None:
        """See `Driver.close`."""
        if self._opened:
            self._opened.close()
            self._opened = None

    @property
    def _store(self) -> FakeStore:
        assert self._opened, "the driver was not started"
        return self._opened

    async def hosts(self) -> Sequence[HostDescription]:
        """See `Driver.hosts`."""
        return [self._host_describe(name, number) for name, number in self._host_names.items()]

    def _host_describe(self, name: HostName, number: int) -> HostDescription:
        return HostDescription(
            name=name,
            hypervisor_type="fake",
            hypervisor_version=1_000_000,
            vcpus=self._size.vcpus,
            memory_mb=self._size.memory_mb,
            disk_gb=self._size.disk_gb,
            host_ip=f"198.18.{number >> 8}.{number & 255}",
            cpu_info=_CPU_INFO,
            traits=_TRAITS,
        )

    async def guests(self) -> Sequence[Guest]:
        """See `Driver.guests`."""
        return [guest.shown() for guest in self._store.guests()]

    async def guest_ensure(self, host: HostName, spec: GuestSpec, images: ImageSource) -> Guest:
        """See `Driver.guest_ensure`."""
        self._host_check(host, "make the guest")
        guest = self._guest_for(host, spec.server_id, spec.generation)
        self.faults.check(host, "guest_ensure")
        used = [image for image in (spec.image, spec.kernel, spec.ramdisk) if image]
        for image in used:
            await self._image_ensure(host, image, images)
        if guest is None:
            image_ids = " ".join(image.id for image in used)
            guest = FakeGuest(host, spec.server_id, spec.generation, PowerState.NOSTATE, 0, 0, image_ids)
            self._store.guest_add(guest, spec)
        if guest.power_state is not PowerState.RUNNING:
            await self._pause(self.timings.boot_s)
        return self._run(host, spec.server_id, spec.generation)

    async def guest_destroy(self, host: HostName, server_id: ServerId, generation: int) -> None:
        """See `Driver.guest_destroy`."""
        self._host_check(host, "destroy the guest")
        guest = self._guest_for(host, server_id, generation)
        self.faults.check(host, "guest_destroy")
        await self._pause(self.timings.destroy_s)
        if guest and self._store.guest_get(host, server_id):
            self._store.guest_remove(guest)

    async def guest_start(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_start`."""
        guest = self._guest_there(host, server_id, generation, "start the guest")
        self.faults.check(host, "guest_start")
        if guest.power_state is not PowerState.RUNNING:
            await self._pause(self.timings.start_s)
        return self._run(host, server_id, generation)

    async def guest_stop(self, host: HostName, server_id: ServerId, generation: int, grace_s: float) -> Guest:
        """See `Driver.guest_stop`."""
        guest = self._guest_there(host, server_id, generation, "stop the guest")
        self.faults.check(host, "guest_stop")
        if guest.power_state is PowerState.RUNNING:
            await self._pause(min(self.timings.stop_s, grace_s))
        guest = self._guest_there(host, server_id, generation, "stop the guest")
        return self._update(msgspec.structs.replace(guest, generation=generation, power_state=PowerState.SHUTDOWN))

    async def guest_reboot(self, host: HostName, server_id: ServerId, generation: int, *, hard: bool) -> Guest:
        """See `Driver.guest_reboot`."""
        guest = self._guest_there(host, server_id, generation, "reboot the guest")
        self.faults.check(host, "guest_reboot")
        if guest.rebooted == generation:
            return self._run(host, server_id, generation)
        await self._pause(self.timings.reboot_s)
        guest = self._guest_there(host, server_id, generation, "reboot the guest")
        state = PowerState.RUNNING
        return self._update(
            msgspec.structs.replace(
                guest, generation=generation, rebooted=generation, power_state=state, boots=guest.boots + 1
            )
        )

    async def console_output(self, host: HostName, server_id: ServerId, lines: int | None) -> str:
        """See `Driver.console_output`."""
        guest = self._store.guest_get(host, server_id)
        if guest is None:
            return ""
        text = _console(guest, self._store.guest_spec(guest))
        return "".join(text if lines is None else text[len(text) - min(lines, len(text)) :])

    async def images_cached(self) -> Sequence[str]:
        """See `Driver.images_cached`."""
        return list(self._store.images())

    async def images_clean(self, unused_for_s: float) -> Sequence[str]:
        """See `Driver.images_clean`."""
        in_use = {image_id for guest in self._store.guests() for image_id in guest.images.split()}
        before = self._runtime.now() - unused_for_s
        removed = [i for i, used_at in self._store.images().items() if i not in in_use and used_at <= before]
        for image_id in removed:
            self._store.image_remove(image_id)
        return removed

    def guest_crash(self, host: HostName, server_id: ServerId) -> None:
        """End a guest from outside, as when somebody kills its process."""
        guest = self._store.guest_get(host, server_id)
        assert guest, f"no guest {server_id} on {host}"
        self._update(msgspec.structs.replace(guest, power_state=PowerState.CRASHED))

    def _host_check(self, host: HostName, action: str) -> None:
        if host not in self._host_names:
            raise HypervisorFailure(host=host, action=action, reason="there is no such fake host.")

    def _guest_for(self, host: HostName, server_id: ServerId, generation: int) -> FakeGuest | None:
        guest = self._store.guest_get(host, server_id)
        if guest and generation < guest.generation:
            raise StaleGeneration(server_id=server_id, stored=guest.generation, given=generation)
        return guest

    def _guest_there(self, host: HostName, server_id: ServerId, generation: int, action: str) -> FakeGuest:
        self._host_check(host, action)
        guest = self._guest_for(host, server_id, generation)
        if guest is None:
            raise HypervisorFailure(host=host, action=action, reason=f"there is no guest {server_id}.")
        return guest

    def _run(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        guest = self._guest_there(host, server_id, generation, "run the guest")
        if guest.power_state is PowerState.RUNNING and guest.generation == generation:
            return guest.shown()
        boots = guest.boots + (guest.power_state is not PowerState.RUNNING)
        return self._update(
            msgspec.structs.replace(guest, generation=generation, power_state=PowerState.RUNNING, boots=boots)
        )

    def _update(self, guest: FakeGuest) -> Guest:
        self._store.guest_update(guest)
        return guest.shown()

    async def _pause(self, delay_s: float) -> None:
        if delay_s > 0:
            await self._runtime.sleep(delay_s)

    async def _image_ensure(self, host: HostName, image: GuestImage, images: ImageSource) -> None:
        if image.id not in self._store.images():
            digest = hashlib.sha512()
            async for piece in images.image_content(image):
                digest.update(piece)
            if digest.hexdigest() != image.sha512:
                reason = "its content doesn't have the checksum that the image service declared."
                raise HypervisorFailure(host=host, action=f"use the image {image.id}", reason=reason)
        self._store.image_used(image.id, self._runtime.now())


_CPU_INFO: dict[str, object] = {
    "arch": "x86_64",
    "model": "fake",
    "vendor": "fake",
    "features": [],
    "topology": {"sockets": 1, "cores": 32, "threads": 2},
}
_TRAITS = ("COMPUTE_IMAGE_TYPE_QCOW2", "COMPUTE_IMAGE_TYPE_RAW", "COMPUTE_NODE", "HW_ARCH_X86_64")


def _console(guest: FakeGuest, spec: GuestSpec) -> list[str]:
    """What a guest would have printed, each line marked as made up."""
    addresses = [address.address for nic in spec.nics for address in nic.addresses]
    lines: list[str] = []
    for boot in range(max(1, guest.boots - 9), guest.boots + 1):
        lines.append(f"[fake] boot {boot} of {spec.name} ({spec.server_id}) on {guest.host}\n")
        lines.append(f"[fake] {spec.vcpus} vcpus, {spec.memory_mb} MB memory, {spec.disk_gb} GB disk\n")
        lines.extend(f"[fake] {spec.hostname}: address={address}\n" for address in addresses)
        lines.append(f"[fake] {spec.hostname} login: no system runs here; this hypervisor is fake\n")
    if guest.power_state is PowerState.SHUTDOWN:
        lines.append("[fake] System halted.\n")
    return lines
