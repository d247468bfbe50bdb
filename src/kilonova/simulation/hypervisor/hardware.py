"""The hardware of every simulated host: what is on it, whether it has power, and what must never be."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec

from kilonova.drivers.driver import HypervisorFailure
from kilonova.drivers.fake.guest import HALF_MADE, Disk, FakeGuest, Presence
from kilonova.drivers.fake.moves import end, moved
from kilonova.kernel.ids import CellId, HostName, ServerId
from kilonova.objects.guest import GuestSpec, GuestVolume, PowerState
from kilonova.simulation.hypervisor.migration import Migration, Outcome
from kilonova.simulation.loop import SimLoop

NO_MARK = CellId("")
ALIVE = frozenset({PowerState.RUNNING, PowerState.PAUSED})


class HostSize(msgspec.Struct, frozen=True, kw_only=True):
    """The resources of each simulated host."""

    vcpus: int = 6
    memory_mb: int = 6144
    disk_gb: int = 100


class Hypervisor:
    """The hardware of every host. Implements `Hardware`."""

    def __init__(self, loop: SimLoop, size: HostSize, report: Callable[[str], None]) -> None:
        """`report` is told of what must never be: e.g. a server that runs on two hosts."""
        self.size = size
        self.report = report
        self.half_max_s = (0.3, 8.0)
        """How much time is between the halves of an order at most: of an ordinary one, of a slow one."""
        self.migration_s = (5.0, 60.0)
        """How long a live migration lasts: at least, at most."""
        self.planted: dict[ServerId, CellId] = {}
        """Guests that no record knows, and their marks."""
        self.lost: set[HostName] = set()
        """Hosts that never come back."""
        self._loop = loop
        self._images: dict[str, float] = {}
        """The image cache of all hosts: when each was last used, in virtual time."""
        self._guests: dict[HostName, dict[ServerId, FakeGuest]] = {}
        self._storage: dict[HostName, str | None] = {}
        self._disks_left: dict[tuple[str, ServerId], Disk] = {}
        self._without_power: set[HostName] = set()
        self._migrations: dict[ServerId, Migration] = {}
        self._refusals: Counter[tuple[HostName, str, bool]] = Counter()

    def add_host(self, host: HostName, storage: str | None = None) -> None:
        """Install a host; hosts with one `storage` share the disks of their guests."""
        self._guests[host] = {}
        self._storage[host] = storage

    def storage(self, host: HostName) -> str | None:
        """See `HostDescription.storage`."""
        return self._storage.get(host)

    def on(self, host: HostName) -> Mapping[ServerId, FakeGuest]:
        """The guests of a host. Raises `HypervisorFailure` for one that isn't there or has no power."""
        if host not in self._guests or host in self._without_power:
            raise HypervisorFailure(host=host, action="answer", reason="it isn't there")
        return self._guests[host]

    def guest_get(self, host: HostName, server_id: ServerId) -> FakeGuest | None:
        """See `Hardware.guest_get`."""
        return self.on(host).get(server_id)

    def guests_put(self, *guests: FakeGuest) -> None:
        """See `Hardware.guests_put`."""
        before = [self.guest_get(guest.host, guest.server_id) for guest in guests]
        for guest in guests:
            self._guests[guest.host][guest.server_id] = guest
        for was, guest in zip(before, guests, strict=True):
            if guest.power_state is PowerState.RUNNING and (was is None or was.power_state not in ALIVE):
                self._loop.note("runs", guest.server_id, guest.host)
            if guest.power_state in ALIVE:
                self._judge(guest)

    def guests_on(self, host: HostName) -> Iterable[FakeGuest]:
        """See `Hardware.guests_on`."""
        return self.on(host).values()

    def guest_remove(self, guest: FakeGuest, *, keep_disks: bool) -> None:
        """See `Hardware.guest_remove`."""
        del self._guests[guest.host][guest.server_id]
        self._loop.note("destroyed", guest.server_id, guest.host)
        storage = self._storage[guest.host]
        if storage is None:
            return
        if keep_disks:
            self._disks_left[storage, guest.server_id] = guest.disk
            return
        self._disks_left.pop((storage, guest.server_id), None)
        if guest.disk.content != HALF_MADE and (other := self._sharing(guest.host, guest.server_id)):
            self.report(f"the disk of {guest.server_id} on {other.host} was removed with its guest on {guest.host}")

    def disk_left(self, host: HostName, server_id: ServerId) -> Disk | None:
        """See `Hardware.disk_left`."""
        storage = self._storage[host]
        if storage is None:
            return None
        other = self._sharing(host, server_id)
        return other.disk if other else self._disks_left.get((storage, server_id))

    def images(self) -> Mapping[str, float]:
        """See `Hardware.images`."""
        return self._images

    def image_used(self, image_id: str) -> None:
        """See `Hardware.image_used`."""
        self._images[image_id] = self._loop.time()

    def image_remove(self, image_id: str) -> None:
        """Forget an image."""
        del self._images[image_id]

    # What happens to it.

    def plant(self, host: HostName, server_id: ServerId, generation: int = 1, cell_id: CellId = NO_MARK) -> None:
        """A guest runs that no agent was told to make; `cell_id` is its mark."""
        self.planted[server_id] = cell_id
        known = {"server_id": server_id, "generation": generation, "cell_id": cell_id}
        spec = msgspec.convert({**_NOTHING, **known}, GuestSpec)
        disk, state = Disk(generation, 0), PowerState.RUNNING
        self.guests_put(FakeGuest(host=host, generation=generation, spec=spec, disk=disk, power_state=state))

    def refuse(self, host: HostName, order: str, times: int, *, halfway: bool) -> None:
        """Let the next `times` orders of a kind (a method of `Driver`) fail on a host: at once, or half carried out."""
        self._refusals[host, order, halfway] += times

    def refuses(self, host: HostName, order: str, *, halfway: bool) -> bool:
        """Whether an order is to be refused now, which uses up one refusal."""
        refused = self._refusals[host, order, halfway] > 0
        self._refusals[host, order, halfway] -= refused
        return refused

    def relent(self) -> None:
        """Refuse nothing any more."""
        self._refusals.clear()

    def vanish(self, host: HostName, server_id: ServerId) -> None:
        """A guest is gone with its disk, as when somebody has removed its files."""
        guest = self._guests[host].pop(server_id)
        storage = self._storage[host]
        if storage is not None and self._sharing(host, server_id) is None:
            self._disks_left.pop((storage, server_id), None)
        self._loop.note("vanished", guest.server_id, host)

    def crash(self, host: HostName, server_id: ServerId) -> None:
        """A guest ends, as when its operating system panics."""
        guest = self._guests[host][server_id]
        self._guests[host][server_id] = msgspec.structs.replace(guest, power_state=PowerState.CRASHED)

    def cut_power(self, host: HostName) -> None:
        """The host goes dark; what ran on it doesn't any more, and nothing arrives or leaves."""
        for migration in tuple(self._migrations.values()):
            if host in {migration.source, migration.target}:
                migration.end(Outcome.FAILED)
        self._without_power.add(host)
        self._guests[host] = {server_id: _without_power(guest) for server_id, guest in self._guests[host].items()}

    def restore_power(self, host: HostName) -> None:
        """The host is back, with the guests it had, none of them started."""
        self._without_power.discard(host)

    def is_dark(self, host: HostName) -> bool:
        """Whether the host has no power."""
        return host in self._without_power

    def everything(self) -> list[tuple[HostName, ServerId, FakeGuest]]:
        """Every guest there is, dark hosts included."""
        return [
            (host, server_id, guest) for host, guests in self._guests.items() for server_id, guest in guests.items()
        ]

    # Live migrations.

    def migration(self, server_id: ServerId) -> Migration | None:
        """The migration of a server that is under way."""
        return self._migrations.get(server_id)

    def migrate(self, migration: Migration) -> None:
        """Begin a migration. It ends as it will, whoever waits for it."""
        self._migrations[migration.server_id] = migration
        self._loop.note("migrates", migration.server_id, migration.source, migration.target)
        migration.begin(self._migrated)

    def _migrated(self, migration: Migration, outcome: Outcome) -> Outcome:
        """The moment that decides where the guest is."""
        del self._migrations[migration.server_id]
        source = self._guests[migration.source].get(migration.server_id)
        target = self._guests[migration.target].get(migration.server_id)
        waits = target is not None and target.presence is Presence.AWAITED
        if source is None or target is None or not waits or source.power_state not in ALIVE:
            outcome = Outcome.FAILED if outcome is Outcome.DONE else outcome
        elif outcome is Outcome.DONE:
            self.guests_put(*moved(source, target))
        if outcome is not Outcome.DONE and target is not None and waits:
            self.guests_put(msgspec.structs.replace(target, presence=Presence.SPENT))
        self._loop.note("migration", outcome, migration.server_id)
        return outcome

    # What must never be.

    def _judge(self, guest: FakeGuest) -> None:
        """Report what is wrong with a guest that runs or is paused."""
        server_id = guest.server_id
        if guest.disk.content == HALF_MADE:
            self.report(f"server {server_id} runs on {guest.host} from half a disk")
        for host, there in self._guests.items():
            other = there.get(server_id)
            if host != guest.host and other is not None and other.power_state in ALIVE:
                self.report(f"server {server_id} runs on {host} and {guest.host}")
        written = {volume.volume_id for volume in guest.spec.volumes if not _is_shared(volume)}
        if not written:
            return
        for _, other_id, other in self.everything():
            if other_id == server_id or other.power_state not in ALIVE:
                continue
            for volume in other.spec.volumes:
                if volume.volume_id in written and not _is_shared(volume):
                    self.report(f"volume {volume.volume_id} is used by {other_id} and {server_id}")

    def _sharing(self, host: HostName, server_id: ServerId) -> FakeGuest | None:
        """The guest of a server on another host with the same storage."""
        storage = self._storage[host]
        for other, guests in self._guests.items():
            if other != host and storage is not None and self._storage[other] == storage and server_id in guests:
                return guests[server_id]
        return None


_NOTHING = {
    "name": "planted",
    "hostname": "planted",
    "vcpus": 1,
    "memory_mb": 64,
    "disk_gb": 0,
    "image": None,
    "kernel": None,
    "ramdisk": None,
    "cmdline": "",
    "nics": (),
    "config_drive": {},
    "project_id": "",
    "user_id": "",
    "flavor_name": "",
}


def _is_shared(volume: GuestVolume) -> bool:
    """Whether others may use the volume at the same time."""
    return volume.read_only or bool(volume.connection.get("multiattach"))


def _without_power(guest: FakeGuest) -> FakeGuest:
    """The guest after its host went dark."""
    if guest.presence is Presence.AWAITED:
        return msgspec.structs.replace(guest, presence=Presence.SPENT)
    return end(guest) if guest.power_state in ALIVE else guest
