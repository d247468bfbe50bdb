"""A hypervisor of thousands of hosts that runs nothing, but remembers, takes its time and fails as told."""

import enum
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
from typing_extensions import override

from kilonova.drivers.driver import HypervisorFailure, MigrationAborted
from kilonova.drivers.fake import moves
from kilonova.drivers.fake.guest import FakeGuest, Presence
from kilonova.drivers.fake.moves import Move
from kilonova.drivers.fake.orders import Orders
from kilonova.drivers.fake.size import FakeHostSize
from kilonova.drivers.fake.store import FakeStore
from kilonova.drivers.fake.timings import FakeFaults, FakeTimings
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, HostDescription, PowerState
from kilonova.objects.numa import HostNode
from kilonova.runtime.runtime import Runtime

MAX_HOSTS = 10_000
_MIGRATION_LOOK_S = 0.1


def host_names(hosts: int) -> list[HostName]:
    """What the fake hosts are called."""
    return [HostName(f"fake-{number:05}") for number in range(1, hosts + 1)]


class Asked(enum.Enum):
    """What a live migration under way was asked to do."""

    NOTHING = enum.auto()
    ABORT = enum.auto()
    FORCE = enum.auto()


class FakeDriver(Orders):
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
        storage: str | None = None,
    ) -> None:
        """Serve the hosts `fake-00001` to `fake-<hosts>`, with guests kept in the file at `path`.

        With `storage`, which is its name, guests' disks lie on storage that all hosts share.

        Raises:
            ValueError: `hosts` is not between 0 and 10,000.
            BadDevice: a PCI device of `size` can't be understood.
        """
        if not 0 <= hosts <= MAX_HOSTS:
            raise ValueError(f"{hosts} fake hosts were asked for; 0 to {MAX_HOSTS} can be had.")
        self.timings = timings or FakeTimings()
        self.faults = FakeFaults()
        self._runtime = runtime
        self._path = path
        self._size = size or FakeHostSize()
        self._devices = self._size.devices
        self._host_names = {name: number for number, name in enumerate(host_names(hosts), 1)}
        self._storage = storage
        self._migrating: dict[tuple[HostName, ServerId], Asked] = {}
        self._opened: FakeStore | None = None
        self._started_at = runtime.now()

    async def start(self) -> None:
        """See `Driver.start`."""
        try:
            self._opened = FakeStore(self._path, self._host_names, self._storage is not None, self._runtime.now)
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
            traits=(*_TRAITS, *(_THREADED if self._nodes else ())),
            numa=tuple(self._nodes),
            pci=self._devices,
            storage=self._storage,
            booted_at=self._started_at,
        )

    async def guests(self) -> Sequence[Guest]:
        """See `Driver.guests`."""
        return [guest.shown() for guest in self._store.guests()]

    @override
    async def guest_migrate_abort(self, host: HostName, server_id: ServerId) -> None:
        if (host, server_id) in self._migrating:
            self._migrating[host, server_id] = Asked.ABORT

    @override
    async def guest_migrate_force(self, host: HostName, server_id: ServerId) -> None:
        if (host, server_id) in self._migrating:
            self._migrating[host, server_id] = Asked.FORCE

    async def console_output(self, host: HostName, server_id: ServerId, lines: int | None) -> str:
        """See `Driver.console_output`."""
        guest = self._store.guest_get(host, server_id)
        if guest is None:
            return ""
        text = _console(guest)
        return "".join(text if lines is None else text[len(text) - min(lines, len(text)) :])

    async def images_cached(self) -> Sequence[str]:
        """See `Driver.images_cached`."""
        return list(self._store.images())

    async def images_clean(self, unused_for_s: float) -> Sequence[str]:
        """See `Driver.images_clean`."""
        in_use = {image_id for guest in self._store.guests() for image_id in guest.images}
        before = self._runtime.now() - unused_for_s
        removed = [i for i, used_at in self._store.images().items() if i not in in_use and used_at <= before]
        for image_id in removed:
            self._store.image_remove(image_id)
        return removed

    def guest_crash(self, host: HostName, server_id: ServerId) -> None:
        """End a guest from outside, as when somebody kills its process."""
        guest = self._store.guest_get(host, server_id)
        assert guest, f"no guest {server_id} on {host}"
        self._store.guests_put(msgspec.structs.replace(guest, power_state=PowerState.CRASHED))

    @property
    @override
    def _nodes(self) -> Sequence[HostNode]:
        return self._size.nodes

    @property
    @override
    def _hardware(self) -> FakeStore:
        return self._store

    @override
    def _before(self, host: HostName, move: Move) -> None:
        self.faults.check(host, move.name)

    @override
    async def _between(self, guest: FakeGuest, move: Move, *, idle: bool = False, limit_s: float | None = None) -> None:
        duration_s = self.timings.of(move.name)
        if limit_s is not None:
            duration_s = min(duration_s, limit_s)
        if duration_s > 0 and not idle:
            await self._runtime.sleep(duration_s)

    @override
    async def _migrated(self, source: FakeGuest, target: FakeGuest) -> None:
        key = source.host, source.server_id
        if key in self._migrating:
            raise _not_migrated(source, "it is being migrated already.")
        self._migrating[key] = Asked.NOTHING
        left_s = self.timings.migrate_s
        try:
            while left_s > 0 and self._migrating[key] is Asked.NOTHING:
                await self._runtime.sleep(min(left_s, _MIGRATION_LOOK_S))
                left_s -= _MIGRATION_LOOK_S
            aborted = self._migrating[key] is Asked.ABORT
        finally:
            del self._migrating[key]
        source = self._there(*key, source.generation, moves.MIGRATE.action)
        moves.migrates(source)
        arrives = self._store.guest_get(target.host, target.server_id)
        if arrives is None or arrives.presence is not Presence.AWAITED:
            raise _not_migrated(source, f"{target.host} no longer waits for it.")
        if aborted:
            self._store.guests_put(msgspec.structs.replace(arrives, presence=Presence.SPENT))
            raise MigrationAborted(server_id=source.server_id, host=source.host)
        self._store.guests_put(*moves.moved(source, arrives))


def _not_migrated(guest: FakeGuest, reason: str) -> HypervisorFailure:
    return HypervisorFailure(host=guest.host, action=moves.MIGRATE.action, reason=reason)


_CPU_INFO: dict[str, object] = {
    "arch": "x86_64",
    "model": "fake",
    "vendor": "fake",
    "features": [],
    "topology": {"sockets": 1, "cores": 32, "threads": 2},
}
_THREADED = ("HW_CPU_HYPERTHREADING",)
_TRAITS = ("COMPUTE_IMAGE_TYPE_QCOW2", "COMPUTE_IMAGE_TYPE_RAW", "COMPUTE_NODE", "HW_ARCH_X86_64")


def _console(guest: FakeGuest) -> list[str]:
    """What a guest would have printed, each line marked as made up."""
    spec = guest.spec
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
