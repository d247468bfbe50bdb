"""A simulated hypervisor: guests that outlive every process of the cloud, made slowly, in parts, and not always.

`Hypervisor` is the hardware of all hosts. A `SimDriver` is one agent's way to it. Each call has a first half and a second
half with time between them; a process that is killed in between, or a call that fails half-way, leaves what the first half did.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from kilonova.drivers.driver import HypervisorFailure, ImageSource, StaleGeneration
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestImage, GuestSpec, HostDescription, PowerState
from kilonova.simulation.faults import Faults
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.sometimes import Sometimes

HALF_MAX_S = 0.3
SLOW_HALF_MAX_S = 8.0
LATE_MAX_S = 12.0


class HostSize(msgspec.Struct, frozen=True, kw_only=True):
    """The resources of each simulated host."""

    vcpus: int = 6
    memory_mb: int = 6144
    disk_gb: int = 100


class SimGuest(msgspec.Struct):
    """One guest, as it lies on a host."""

    generation: int
    power_state: PowerState = PowerState.NOSTATE
    """NOSTATE while only the first half was made."""
    rebooted: int = 0
    """The generation it was last rebooted for."""
    boots: int = 0
    images: tuple[str, ...] = ()


class Hypervisor:
    """The hardware of every host: what is on it, and whether it has power."""

    def __init__(self, loop: SimLoop, size: HostSize, report: Callable[[str], None]) -> None:
        """`report` is told of what must never be: a server that runs on two hosts."""
        self.size = size
        self._loop = loop
        self.report = report
        self.images: dict[str, float] = {}
        """The image cache of all hosts: when each was last used, in virtual time."""
        self.lost: set[HostName] = set()
        """Hosts that never come back."""
        self._guests: dict[HostName, dict[ServerId, SimGuest]] = {}
        self._without_power: set[HostName] = set()

    def add_host(self, host: HostName) -> None:
        """Install a host."""
        self._guests[host] = {}

    def on(self, host: HostName) -> dict[ServerId, SimGuest]:
        """The guests of a host. Raises `HypervisorFailure` for one that isn't there or has no power."""
        if host not in self._guests or host in self._without_power:
            raise HypervisorFailure(host=host, action="answer", reason="it isn't there")
        return self._guests[host]

    def boot(self, host: HostName, server_id: ServerId) -> None:
        """A guest begins to run."""
        for other, guests in self._guests.items():
            there = guests.get(server_id)
            if other != host and there is not None and there.power_state is PowerState.RUNNING:
                self.report(f"server {server_id} runs on {other} and {host}")
        guest = self._guests[host][server_id]
        guest.power_state = PowerState.RUNNING
        guest.boots += 1
        self._loop.note("runs", server_id, host)

    def crash(self, host: HostName, server_id: ServerId) -> None:
        """A guest ends, as when its operating system panics."""
        self._guests[host][server_id].power_state = PowerState.CRASHED

    def cut_power(self, host: HostName) -> None:
        """The host goes dark; what ran on it doesn't any more."""
        self._without_power.add(host)
        for guest in self._guests[host].values():
            if guest.power_state is PowerState.RUNNING:
                guest.power_state = PowerState.SHUTDOWN

    def restore_power(self, host: HostName) -> None:
        """The host is back, with the guests it had, none of them started."""
        self._without_power.discard(host)

    def everything(self) -> list[tuple[HostName, ServerId, SimGuest]]:
        """Every guest there is, dark hosts included."""
        return [
            (host, server_id, guest) for host, guests in self._guests.items() for server_id, guest in guests.items()
        ]


class SimDriver:
    """Implements `Driver` for one agent and its hosts."""

    name = "sim"

    def __init__(
        self, loop: SimLoop, hypervisor: Hypervisor, hosts: Sequence[HostName], faults: Faults, sometimes: Sometimes
    ) -> None:
        """Serve `hosts`."""
        self._hypervisor = hypervisor
        self._hosts = tuple(hosts)
        self._faults = faults
        self._sometimes = sometimes
        self._loop = loop
        self._stream = loop.stream(f"hypervisor/{' '.join(hosts)}")
        self._busy: set[ServerId] = set()

    async def start(self) -> None:
        """See `Driver.start`."""

    def notices(self) -> Sequence[str]:
        """See `Driver.notices`."""
        return ("The hypervisor is simulated.",)

    async def close(self) -> None:
        """See `Driver.close`."""

    async def hosts(self) -> Sequence[HostDescription]:
        """See `Driver.hosts`."""
        size = self._hypervisor.size
        return [
            HostDescription(
                name=host,
                hypervisor_type="sim",
                hypervisor_version=1_000_000,
                vcpus=size.vcpus,
                memory_mb=size.memory_mb,
                disk_gb=size.disk_gb,
                host_ip="198.18.0.1",
                cpu_info={},
                cpu_allocation_ratio=1.0,
            )
            for host in self._hosts
        ]

    async def guests(self) -> Sequence[Guest]:
        """See `Driver.guests`: what it shows may be old when it arrives."""
        shown = []
        for host in self._hosts:
            try:
                there = self._hypervisor.on(host)
            except HypervisorFailure:
                continue
            shown += [_shown(host, server_id, guest) for server_id, guest in there.items()]
        if self._faults.strikes("hypervisor_late"):
            await asyncio.sleep(self._stream.random() * LATE_MAX_S)
        return shown

    async def guest_ensure(self, host: HostName, spec: GuestSpec, images: ImageSource) -> Guest:
        """See `Driver.guest_ensure`: the first half defines the guest, the second runs it."""
        with self._alone(spec.server_id):
            self._checked(host, spec.server_id, spec.generation)
            self._may_fail(host, "make the guest", "hypervisor_fails")
            used = [image for image in (spec.image, spec.kernel, spec.ramdisk) if image is not None]
            for image in used:
                await self._image_ensure(host, image, images)
            if self._checked(host, spec.server_id, spec.generation) is None:
                made_of = tuple(image.id for image in used)
                self._hypervisor.on(host)[spec.server_id] = SimGuest(generation=spec.generation, images=made_of)
            await self._between_halves(host, "make the guest")
            guest = self._there(host, spec.server_id, spec.generation, "make the guest")
            if guest.power_state is not PowerState.RUNNING:
                self._hypervisor.boot(host, spec.server_id)
            return self._kept(host, spec.server_id, guest, spec.generation)

    async def guest_destroy(self, host: HostName, server_id: ServerId, generation: int) -> None:
        """See `Driver.guest_destroy`: the first half ends the guest, the second removes it."""
        with self._alone(server_id):
            guest = self._checked(host, server_id, generation)
            self._may_fail(host, "destroy the guest", "hypervisor_fails")
            if guest is None:
                return
            guest.generation = generation
            guest.power_state = PowerState.NOSTATE
            await self._between_halves(host, "destroy the guest")
            if self._checked(host, server_id, generation) is not None:
                del self._hypervisor.on(host)[server_id]
                self._loop.note("destroyed", server_id, host)

    async def guest_start(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_start`."""
        with self._alone(server_id):
            self._there(host, server_id, generation, "start the guest")
            self._may_fail(host, "start the guest", "hypervisor_fails")
            await self._between_halves(host, "start the guest")
            guest = self._there(host, server_id, generation, "start the guest")
            if guest.power_state is not PowerState.RUNNING:
                self._hypervisor.boot(host, server_id)
            return self._kept(host, server_id, guest, generation)

    async def guest_stop(self, host: HostName, server_id: ServerId, generation: int, grace_s: float) -> Guest:
        """See `Driver.guest_stop`."""
        with self._alone(server_id):
            self._there(host, server_id, generation, "stop the guest")
            self._may_fail(host, "stop the guest", "hypervisor_fails")
            await self._between_halves(host, "stop the guest")
            guest = self._there(host, server_id, generation, "stop the guest")
            guest.power_state = PowerState.SHUTDOWN
            return self._kept(host, server_id, guest, generation)

    async def guest_reboot(self, host: HostName, server_id: ServerId, generation: int, *, hard: bool) -> Guest:
        """See `Driver.guest_reboot`: the first half of a hard one cuts the power."""
        with self._alone(server_id):
            guest = self._there(host, server_id, generation, "reboot the guest")
            self._may_fail(host, "reboot the guest", "hypervisor_fails")
            if guest.rebooted == generation and guest.power_state is PowerState.RUNNING:
                return _shown(host, server_id, guest)
            if hard:
                guest.power_state = PowerState.SHUTDOWN
            await self._between_halves(host, "reboot the guest")
            guest = self._there(host, server_id, generation, "reboot the guest")
            guest.rebooted = generation
            self._hypervisor.boot(host, server_id)
            return self._kept(host, server_id, guest, generation)

    async def console_output(self, host: HostName, server_id: ServerId, lines: int | None) -> str:
        """See `Driver.console_output`: a line for each time the guest was started."""
        guest = self._hypervisor.on(host).get(server_id)
        said = [] if guest is None else [f"[sim] boot {number}\n" for number in range(1, guest.boots + 1)]
        return "".join(said if lines is None else said[len(said) - min(lines, len(said)) :])

    async def images_cached(self) -> Sequence[str]:
        """See `Driver.images_cached`."""
        return list(self._hypervisor.images)

    async def images_clean(self, unused_for_s: float) -> Sequence[str]:
        """See `Driver.images_clean`."""
        hypervisor, before = self._hypervisor, self._loop.time() - unused_for_s
        in_use = {image for _, _, guest in hypervisor.everything() for image in guest.images}
        unused = [image for image, at in hypervisor.images.items() if at <= before and image not in in_use]
        for image in unused:
            del hypervisor.images[image]
        return unused

    @contextmanager
    def _alone(self, server_id: ServerId) -> Iterator[None]:
        """An agent gives one order at a time for each guest."""
        if server_id in self._busy:
            self._hypervisor.report(f"two orders at once for the guest of server {server_id}")
        self._busy.add(server_id)
        try:
            yield
        finally:
            self._busy.discard(server_id)

    async def _image_ensure(self, host: HostName, image: GuestImage, images: ImageSource) -> None:
        """Have the image in the cache, fetched and verified."""
        if image.id not in self._hypervisor.images:
            digest = hashlib.sha512()
            async for piece in images.image_content(image):
                digest.update(piece)
            if digest.hexdigest() != image.sha512:
                raise HypervisorFailure(host=host, action=f"use image {image.id}", reason="its checksum is wrong")
        self._hypervisor.images[image.id] = self._loop.time()

    def _checked(self, host: HostName, server_id: ServerId, generation: int) -> SimGuest | None:
        """The guest, if there is one and `generation` isn't older than its own."""
        guest = self._hypervisor.on(host).get(server_id)
        if guest is not None and generation < guest.generation:
            raise StaleGeneration(server_id=server_id, stored=guest.generation, given=generation)
        return guest

    def _there(self, host: HostName, server_id: ServerId, generation: int, action: str) -> SimGuest:
        guest = self._checked(host, server_id, generation)
        if guest is None:
            raise HypervisorFailure(host=host, action=action, reason=f"there is no guest {server_id}")
        return guest

    def _kept(self, host: HostName, server_id: ServerId, guest: SimGuest, generation: int) -> Guest:
        guest.generation = generation
        return _shown(host, server_id, guest)

    def _may_fail(self, host: HostName, action: str, fault: str) -> None:
        if self._faults.strikes(fault):
            raise HypervisorFailure(host=host, action=action, reason="it was told to fail")

    async def _between_halves(self, host: HostName, action: str) -> None:
        """Time passes; the call may end here, and the process may be killed."""
        slow = self._faults.strikes("hypervisor_slow")
        await asyncio.sleep(self._stream.random() * (SLOW_HALF_MAX_S if slow else HALF_MAX_S))
        try:
            self._may_fail(host, action, "hypervisor_fails_halfway")
        except HypervisorFailure:
            self._sometimes("guest_half_made")
            raise


def _shown(host: HostName, server_id: ServerId, guest: SimGuest) -> Guest:
    return Guest(server_id=server_id, host=host, generation=guest.generation, power_state=guest.power_state)
