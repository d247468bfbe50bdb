"""The driver of one agent: its way to the simulated hardware, slow and not always successful."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from typing_extensions import override

from kilonova.drivers.driver import HypervisorFailure, MigrationAborted
from kilonova.drivers.fake import moves
from kilonova.drivers.fake.guest import FakeGuest
from kilonova.drivers.fake.moves import Move
from kilonova.drivers.fake.orders import Orders
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, HostDescription, PowerState
from kilonova.simulation.faults import Faults
from kilonova.simulation.hypervisor.hardware import Hypervisor
from kilonova.simulation.hypervisor.migration import Migration, Outcome
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.process import CURRENT
from kilonova.simulation.sometimes import Sometimes

LATE_MAX_S = 12.0
_UNPLUGS = frozenset({"nic_detach", "volume_detach"})


class SimDriver(Orders):
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
                storage=self._hypervisor.storage(host),
            )
            for host in self._hosts
        ]

    async def guests(self) -> Sequence[Guest]:
        """See `Driver.guests`: what it shows may be old when it arrives."""
        shown = []
        for host in self._hosts:
            shown += [guest.shown() for guest in self._hypervisor.on(host).values()]
        if self._faults.strikes("hypervisor_late"):
            await asyncio.sleep(self._stream.random() * LATE_MAX_S)
        return shown

    @override
    async def guest_migrate_abort(self, host: HostName, server_id: ServerId) -> None:
        migration = self._hypervisor.migration(server_id)
        if migration is not None and migration.source == host:
            migration.end(Outcome.ABORTED)

    @override
    async def guest_migrate_force(self, host: HostName, server_id: ServerId) -> None:
        migration = self._hypervisor.migration(server_id)
        if migration is not None and migration.source == host:
            migration.force()

    async def console_output(self, host: HostName, server_id: ServerId, lines: int | None) -> str:
        """See `Driver.console_output`: a line for each time the guest was started."""
        guest = self._hypervisor.on(host).get(server_id)
        said = [] if guest is None else [f"[sim] boot {number}\n" for number in range(1, guest.boots + 1)]
        return "".join(said if lines is None else said[len(said) - min(lines, len(said)) :])

    async def images_cached(self) -> Sequence[str]:
        """See `Driver.images_cached`."""
        return list(self._hypervisor.images())

    async def images_clean(self, unused_for_s: float) -> Sequence[str]:
        """See `Driver.images_clean`."""
        hypervisor, before = self._hypervisor, self._loop.time() - unused_for_s
        in_use = {image for _, _, guest in hypervisor.everything() for image in guest.images}
        unused = [image for image, at in hypervisor.images().items() if at <= before and image not in in_use]
        for image in unused:
            hypervisor.image_remove(image)
        return unused

    @property
    @override
    def _hardware(self) -> Hypervisor:
        return self._hypervisor

    @override
    def _before(self, host: HostName, move: Move) -> None:
        self._may_refuse(host, move, halfway=False)
        self._may_fail(host, move.action, "hypervisor_fails")

    @override
    async def _between(self, guest: FakeGuest, move: Move, *, idle: bool = False, limit_s: float | None = None) -> None:
        ordinary_s, slow_s = self._hypervisor.half_max_s
        slow = self._faults.strikes("hypervisor_slow")
        with self._alone(guest.server_id):
            await asyncio.sleep(self._stream.random() * (slow_s if slow else ordinary_s))
        try:
            self._may_refuse(guest.host, move, halfway=True)
            self._may_fail(guest.host, move.action, "hypervisor_fails_halfway")
        except HypervisorFailure:
            self._sometimes("guest_half_made")
            raise
        if move.name in _UNPLUGS and guest.power_state is PowerState.RUNNING and not idle:
            self._may_fail(guest.host, move.action, "guest_keeps_device")

    @override
    async def _migrated(self, source: FakeGuest, target: FakeGuest) -> None:
        migration = self._hypervisor.migration(source.server_id)
        if migration is None:
            migration = self._migration(source, target)
            self._hypervisor.migrate(migration)
        outcome = await asyncio.shield(migration.over)
        if outcome is Outcome.ABORTED:
            raise MigrationAborted(server_id=source.server_id, host=source.host)
        if outcome is Outcome.FAILED:
            raise HypervisorFailure(host=source.host, action=moves.MIGRATE.action, reason="it broke off")

    def _migration(self, source: FakeGuest, target: FakeGuest) -> Migration:
        """How it will go: whether it fails amid, and whether it dies with this agent."""
        outcome = Outcome.FAILED if self._faults.strikes("hypervisor_fails_halfway") else Outcome.DONE
        lasts_s = self._stream.uniform(*self._hypervisor.migration_s)
        migration = Migration(source.server_id, source.host, target.host, lasts_s=lasts_s, outcome=outcome)
        process = CURRENT.get()
        if process is not None and self._faults.strikes("migration_dies_with_agent"):
            migration.carried_by(process)
        return migration

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

    def _may_refuse(self, host: HostName, move: Move, *, halfway: bool) -> None:
        if self._hypervisor.refuses(host, move.name, halfway=halfway):
            raise HypervisorFailure(host=host, action=move.action, reason="it was told to refuse")

    def _may_fail(self, host: HostName, action: str, fault: str) -> None:
        if self._faults.strikes(fault):
            raise HypervisorFailure(host=host, action=action, reason="it was told to fail")
