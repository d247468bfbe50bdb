"""What two hypervisor hosts do with one guest: hand its disks over, and move it while it runs.

Two suites to be inherited, as `DriverContract` is: for hosts whose disks are their own, and for hosts that share them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from kilonova.drivers.driver import Driver, HypervisorFailure, MigrationAborted, StaleGeneration
from kilonova.objects.guest import GuestSpec, PowerState
from kilonova.runtime.real import RealRuntime
from kilonova.testing.driver_contract import play
from kilonova.testing.guests import SERVER, Images, TwoHosts, console_until, guest_spec, hello_disk, twice

Scenario = Callable[[Driver, Driver], Awaitable[None]]
_FOREVER_S = 3600.0


def play_both(hosts: TwoHosts, *scenarios: Scenario) -> None:
    """Play each scenario on a driver of each host, as if both agents had restarted in between."""

    def on_both(scenario: Scenario) -> Callable[[Driver], Awaitable[None]]:
        async def on(driver: Driver) -> None:
            other = hosts.other_driver(RealRuntime(), driver)
            if other is not driver:
                await other.start()
            await scenario(driver, other)

        return on

    play(hosts, *(on_both(scenario) for scenario in scenarios))


def _at(spec: GuestSpec, generation: int, **changes: Any) -> GuestSpec:
    return msgspec.structs.replace(spec, generation=generation, **changes)


async def _where(hosts: TwoHosts, here: Driver, there: Driver) -> dict[str, PowerState]:
    """The guests of both hosts."""
    shown = [*await here.guests(), *await there.guests()]
    return {guest.host: guest.power_state for guest in shown if guest.host in {hosts.host, hosts.other}}


async def _under_way(
    hosts: TwoHosts, here: Driver, there: Driver, spec: GuestSpec, images: Images
) -> asyncio.Task[None]:
    """A live migration that would last an hour."""
    hosts.migrations_last(here, _FOREVER_S)
    await here.guest_ensure(hosts.host, spec, images)
    incoming = await there.guest_incoming(hosts.other, _at(spec, 2), images, shared=False)
    task = asyncio.create_task(here.guest_migrate(hosts.host, SERVER, 2, incoming, shared=False))
    while not hosts.migrates(here):
        await asyncio.sleep(0)
    return task


class MovesContract:
    """Inherit it, and say in a fixture `two_hosts` which hypervisors are judged."""

    @pytest.fixture
    def two_hosts(self) -> TwoHosts:
        """Both hosts, without guests."""
        raise NotImplementedError("give your hypervisor in a fixture of this name")

    @pytest.fixture
    def images(self) -> Images:
        """Where the driver fetches images and stores snapshots."""
        return Images()

    @pytest.fixture
    def spec(self, images: Images) -> GuestSpec:
        """A guest that boots and writes a line to its console."""
        return guest_spec(images.add("image", hello_disk()))

    def test_receive__twice_and_after_a_restart__the_disk_is_the_same_and_grown(
        self, two_hosts: TwoHosts, images: Images, spec: GuestSpec
    ) -> None:
        larger = _at(spec, 3, disk_gb=4)
        offers = []

        async def offered(here: Driver, there: Driver) -> None:
            await here.guest_ensure(two_hosts.host, spec, images)
            await here.guest_stop(two_hosts.host, SERVER, 2, grace_s=0)
            offer = await here.guest_offer(two_hosts.host, SERVER, 3)
            assert await here.guest_offer(two_hosts.host, SERVER, 3) == offer
            offers.append(msgspec.json.decode(msgspec.json.encode(offer)))

        async def received(here: Driver, there: Driver) -> None:
            got = await twice(lambda: there.guest_receive(two_hosts.other, larger, offers[0], images, run=True))
            assert (got.host, got.generation, got.power_state) == (two_hosts.other, 3, PowerState.RUNNING)
            content, gb = two_hosts.disk(two_hosts.host, here)
            assert (gb, two_hosts.disk(two_hosts.other, there)) == (1, (content, 4))

        async def ended(here: Driver, there: Driver) -> None:
            for _ in range(2):
                ended = await here.guest_offer_end(two_hosts.host, SERVER, 3)
                assert ended
                assert ended.power_state is PowerState.SHUTDOWN
            await here.guest_destroy(two_hosts.host, SERVER, 3)
            assert await here.guest_offer_end(two_hosts.host, SERVER, 3) is None
            again = await there.guest_receive(two_hosts.other, larger, offers[0], images, run=True)
            assert again.power_state is PowerState.RUNNING
            assert await _where(two_hosts, here, there) == {two_hosts.other: PowerState.RUNNING}

        play_both(two_hosts, offered, received, ended)

    def test_any_order__about_no_guest_or_too_late__is_refused(
        self, two_hosts: TwoHosts, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(here: Driver, there: Driver) -> None:
            host, incoming = two_hosts.host, await there.guest_incoming(two_hosts.other, spec, images, shared=False)
            orders: list[Callable[[], Awaitable[object]]] = [
                lambda: here.guest_offer(host, SERVER, 4),
                lambda: here.guest_migrate(host, SERVER, 4, incoming, shared=False),
                lambda: here.guest_arrived(host, SERVER, 4),
            ]
            for order in orders:
                with pytest.raises(HypervisorFailure, match=f"no guest {SERVER}"):
                    await order()
            await here.guest_ensure(host, _at(spec, 5), images)
            for order in orders:
                with pytest.raises(StaleGeneration, match="generation 5"):
                    await order()

        play_both(two_hosts, scenario)

    def test_offer__guest_runs__is_refused(self, two_hosts: TwoHosts, images: Images, spec: GuestSpec) -> None:
        async def scenario(here: Driver, there: Driver) -> None:
            await here.guest_ensure(two_hosts.host, spec, images)
            with pytest.raises(HypervisorFailure, match="isn't stopped"):
                await here.guest_offer(two_hosts.host, SERVER, 2)

        play_both(two_hosts, scenario)

    @pytest.mark.parametrize("ending", ["offer_end", "start"])
    def test_receive__no_longer_offered__is_refused(
        self, two_hosts: TwoHosts, images: Images, spec: GuestSpec, ending: str
    ) -> None:
        async def scenario(here: Driver, there: Driver) -> None:
            await here.guest_ensure(two_hosts.host, spec, images, run=False)
            offer = await here.guest_offer(two_hosts.host, SERVER, 2)
            if ending == "start":
                await here.guest_start(two_hosts.host, SERVER, 3)
            else:
                await here.guest_offer_end(two_hosts.host, SERVER, 3)
            with pytest.raises(HypervisorFailure, match="doesn't offer"):
                await there.guest_receive(two_hosts.other, _at(spec, 4), offer, images, run=True)

        play_both(two_hosts, scenario)

    def test_receive__to_a_smaller_disk__is_refused(self, two_hosts: TwoHosts, images: Images, spec: GuestSpec) -> None:
        async def scenario(here: Driver, there: Driver) -> None:
            await here.guest_ensure(two_hosts.host, _at(spec, 1, disk_gb=2), images, run=False)
            offer = await here.guest_offer(two_hosts.host, SERVER, 2)
            with pytest.raises(HypervisorFailure, match="shrink"):
                await there.guest_receive(two_hosts.other, _at(spec, 2, disk_gb=1), offer, images, run=True)
            assert await _where(two_hosts, here, there) == {two_hosts.host: PowerState.SHUTDOWN}

        play_both(two_hosts, scenario)

    @pytest.mark.parametrize("paused", [False, True])
    def test_migrate__twice_and_after_a_restart__the_guest_went_on_elsewhere(
        self, two_hosts: TwoHosts, images: Images, spec: GuestSpec, paused: bool
    ) -> None:
        state = PowerState.PAUSED if paused else PowerState.RUNNING
        incomings = []

        async def made_ready(here: Driver, there: Driver) -> None:
            await here.guest_ensure(two_hosts.host, spec, images)
            await console_until(here, two_hosts.host, lambda text: two_hosts.boots(text) == 1)
            if paused:
                await here.guest_pause(two_hosts.host, SERVER, 2)
            incoming = await there.guest_incoming(two_hosts.other, _at(spec, 3), images, shared=False)
            assert await there.guest_incoming(two_hosts.other, _at(spec, 3), images, shared=False) == incoming
            incomings.append(msgspec.json.decode(msgspec.json.encode(incoming)))
            assert await _where(two_hosts, here, there) == {two_hosts.host: state, two_hosts.other: PowerState.NOSTATE}
            with pytest.raises(HypervisorFailure, match="has not arrived"):
                await there.guest_arrived(two_hosts.other, SERVER, 3)

        async def migrated(here: Driver, there: Driver) -> None:
            before = two_hosts.disk(two_hosts.host, here)
            for _ in range(2):
                await here.guest_migrate(two_hosts.host, SERVER, 3, incomings[0], shared=False)
            assert two_hosts.disk(two_hosts.other, there) == before
            with pytest.raises(HypervisorFailure, match="was moved"):
                await here.guest_start(two_hosts.host, SERVER, 3)

        async def arrived(here: Driver, there: Driver) -> None:
            await here.guest_migrate(two_hosts.host, SERVER, 3, incomings[0], shared=False)
            guest = await twice(lambda: there.guest_arrived(two_hosts.other, SERVER, 4))
            assert (guest.host, guest.generation, guest.power_state) == (two_hosts.other, 4, state)
            assert two_hosts.boots(await there.console_output(two_hosts.other, SERVER, None)) == 1
            await here.guest_destroy(two_hosts.host, SERVER, 4)
            assert await _where(two_hosts, here, there) == {two_hosts.other: state}
            await here.guest_migrate(two_hosts.host, SERVER, 4, incomings[0], shared=False)

        play_both(two_hosts, made_ready, migrated, arrived)

    def test_migrate__guest_is_stopped__is_refused(self, two_hosts: TwoHosts, images: Images, spec: GuestSpec) -> None:
        async def scenario(here: Driver, there: Driver) -> None:
            await here.guest_ensure(two_hosts.host, spec, images, run=False)
            incoming = await there.guest_incoming(two_hosts.other, _at(spec, 2), images, shared=False)
            with pytest.raises(HypervisorFailure, match="doesn't run"):
                await here.guest_migrate(two_hosts.host, SERVER, 2, incoming, shared=False)

        play_both(two_hosts, scenario)

    def test_migrate__nobody_made_ready__is_refused_and_the_guest_goes_on(
        self, two_hosts: TwoHosts, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(here: Driver, there: Driver) -> None:
            await here.guest_ensure(two_hosts.host, spec, images)
            incoming = await there.guest_incoming(two_hosts.other, _at(spec, 2), images, shared=False)
            await there.guest_destroy(two_hosts.other, SERVER, 2)
            with pytest.raises(HypervisorFailure, match="isn't ready"):
                await here.guest_migrate(two_hosts.host, SERVER, 2, incoming, shared=False)
            assert await _where(two_hosts, here, there) == {two_hosts.host: PowerState.RUNNING}

        play_both(two_hosts, scenario)

    def test_incoming__guest_is_there_already__is_refused(
        self, two_hosts: TwoHosts, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(here: Driver, there: Driver) -> None:
            await here.guest_ensure(two_hosts.host, spec, images)
            with pytest.raises(HypervisorFailure, match="there already"):
                await here.guest_incoming(two_hosts.host, _at(spec, 2), images, shared=False)

        play_both(two_hosts, scenario)

    def test_abort__migration_is_under_way__the_guest_stays_and_can_be_migrated_anew(
        self, two_hosts: TwoHosts, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(here: Driver, there: Driver) -> None:
            task = await _under_way(two_hosts, here, there, spec, images)
            await there.guest_migrate_abort(two_hosts.other, SERVER)
            await here.guest_migrate_abort(two_hosts.host, SERVER)
            with pytest.raises(MigrationAborted, match="the guest runs where it was"):
                await task
            await here.guest_migrate_abort(two_hosts.host, SERVER)
            assert (await _where(two_hosts, here, there))[two_hosts.host] is PowerState.RUNNING
            two_hosts.migrations_last(here, 0.0)
            incoming = await there.guest_incoming(two_hosts.other, _at(spec, 3), images, shared=False)
            await here.guest_migrate(two_hosts.host, SERVER, 3, incoming, shared=False)
            arrived = await there.guest_arrived(two_hosts.other, SERVER, 3)
            assert arrived.power_state is PowerState.RUNNING

        play_both(two_hosts, scenario)

    def test_force__migration_is_under_way__comes_to_its_end(
        self, two_hosts: TwoHosts, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(here: Driver, there: Driver) -> None:
            task = await _under_way(two_hosts, here, there, spec, images)
            await here.guest_migrate_force(two_hosts.host, SERVER)
            await task
            await here.guest_migrate_force(two_hosts.host, SERVER)
            assert (await there.guest_arrived(two_hosts.other, SERVER, 2)).power_state is PowerState.RUNNING

        play_both(two_hosts, scenario)

    def test_migrate__guest_was_destroyed_meanwhile__it_runs_nowhere(
        self, two_hosts: TwoHosts, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(here: Driver, there: Driver) -> None:
            task = await _under_way(two_hosts, here, there, spec, images)
            await here.guest_destroy(two_hosts.host, SERVER, 3)
            await here.guest_migrate_force(two_hosts.host, SERVER)
            with pytest.raises(HypervisorFailure):
                await task
            await there.guest_destroy(two_hosts.other, SERVER, 3)
            assert await _where(two_hosts, here, there) == {}

        play_both(two_hosts, scenario)

    def test_shared__incoming_where_disks_are_not_seen__is_refused(
        self, two_hosts: TwoHosts, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(here: Driver, there: Driver) -> None:
            await here.guest_ensure(two_hosts.host, spec, images)
            with pytest.raises(HypervisorFailure, match="aren't seen"):
                await there.guest_incoming(two_hosts.other, _at(spec, 2), images, shared=True)

        play_both(two_hosts, scenario)


class SharedMovesContract:
    """Inherit it, and say in a fixture `shared_hosts` which hypervisors are judged, whose guests' disks both of them see."""

    @pytest.fixture
    def shared_hosts(self) -> TwoHosts:
        """Both hosts, without guests."""
        raise NotImplementedError("give your hypervisor in a fixture of this name")

    @pytest.fixture
    def images(self) -> Images:
        """Where the driver fetches images and stores snapshots."""
        return Images()

    @pytest.fixture
    def spec(self, images: Images) -> GuestSpec:
        """A guest that boots and writes a line to its console."""
        return guest_spec(images.add("image", hello_disk()))

    def test_shared__migrated__the_disk_outlives_the_guest_that_left(
        self, shared_hosts: TwoHosts, images: Images, spec: GuestSpec
    ) -> None:
        async def scenario(here: Driver, there: Driver) -> None:
            hosts = {host.name: host.storage for host in [*await here.hosts(), *await there.hosts()]}
            assert hosts[shared_hosts.host] == hosts[shared_hosts.other] != None  # noqa: E711 - a name they share
            await here.guest_ensure(shared_hosts.host, spec, images)
            before = shared_hosts.disk(shared_hosts.host, here)
            incoming = await there.guest_incoming(shared_hosts.other, _at(spec, 2), images, shared=True)
            await here.guest_migrate(shared_hosts.host, SERVER, 2, incoming, shared=True)
            await here.guest_destroy(shared_hosts.host, SERVER, 2, keep_disks=True)
            await there.guest_arrived(shared_hosts.other, SERVER, 2)
            assert shared_hosts.disk(shared_hosts.other, there) == before

        play_both(shared_hosts, scenario)

    @pytest.mark.parametrize("first", ["destroyed", "left"])
    def test_shared__ensured_elsewhere__takes_the_disk_over(
        self, shared_hosts: TwoHosts, images: Images, spec: GuestSpec, first: str
    ) -> None:
        before: list[tuple[object, int]] = []

        async def made(here: Driver, there: Driver) -> None:
            await here.guest_ensure(shared_hosts.host, spec, images, run=False)
            before.append(shared_hosts.disk(shared_hosts.host, here))
            if first == "destroyed":
                await here.guest_destroy(shared_hosts.host, SERVER, 2, keep_disks=True)

        async def taken_over(here: Driver, there: Driver) -> None:
            await twice(lambda: there.guest_ensure(shared_hosts.other, _at(spec, 3), images))
            assert shared_hosts.disk(shared_hosts.other, there) == before[0]
            await here.guest_destroy(shared_hosts.host, SERVER, 3, keep_disks=True)
            await there.guest_destroy(shared_hosts.other, SERVER, 4)
            another = images.add("another", hello_disk()[:-1] + b"\1")
            await there.guest_ensure(shared_hosts.other, _at(spec, 5, image=another), images)
            assert shared_hosts.disk(shared_hosts.other, there) != before[0]

        play_both(shared_hosts, made, taken_over)
