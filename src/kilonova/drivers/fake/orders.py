"""Every order of the driver Protocol, carried out on hardware that only keeps records.

`Orders` is what the fake driver and the simulation's have in common: the moves and their order. Where records are kept, how
long things take and what goes wrong, each of them says for itself.
"""

import abc
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from kilonova.drivers import pinning
from kilonova.drivers.driver import HypervisorFailure, ImageSink, ImageSource, NoSuchGuest, StaleGeneration
from kilonova.drivers.fake import moves
from kilonova.drivers.fake.disk_content import disk_content
from kilonova.drivers.fake.guest import HALF_MADE, Disk, FakeGuest, Presence
from kilonova.drivers.fake.moves import Move
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.diagnostics import Diagnostics, diagnostics_of
from kilonova.objects.guest import Guest, GuestImage, GuestNic, GuestSpec, GuestVolume, PowerState
from kilonova.objects.numa import HostNode


class Hardware(Protocol):
    """Where the records of guests are kept. Every call raises `HypervisorFailure` for a host that doesn't answer."""

    def guest_get(self, host: HostName, server_id: ServerId) -> FakeGuest | None:
        """The guest, or None."""

    def guests_put(self, *guests: FakeGuest) -> None:
        """Keep guests, new or changed: all in one moment."""

    def guest_remove(self, guest: FakeGuest, *, keep_disks: bool) -> None:
        """Remove the guest; on shared storage its disk stays with `keep_disks`."""

    def guests_on(self, host: HostName) -> Iterable[FakeGuest]:
        """Every guest of a host."""

    def disk_left(self, host: HostName, server_id: ServerId) -> Disk | None:
        """The disk that the server has on storage that `host` shares, left there or used by another host's guest."""

    def images(self) -> Mapping[str, float]:
        """When each cached image was last used, by id."""

    def image_used(self, image_id: str) -> None:
        """Note that an image is in the cache and is used now."""


class Orders(abc.ABC):
    """The part of `Driver` that changes guests. Subclasses have the rest."""

    name: str

    @property
    @abc.abstractmethod
    def _hardware(self) -> Hardware:
        """The records."""

    @property
    def _nodes(self) -> Sequence[HostNode]:
        """The NUMA nodes of each host; none where they are not told apart."""
        return ()

    @abc.abstractmethod
    def _before(self, host: HostName, move: Move) -> None:
        """Raise `HypervisorFailure` when the order is to fail before it did anything."""

    @abc.abstractmethod
    async def _between(self, guest: FakeGuest, move: Move, *, idle: bool = False, limit_s: float | None = None) -> None:
        """The time between the halves, `limit_s` seconds at most; `idle` when the order finds everything done.

        Raises `HypervisorFailure` when the order is to fail there.
        """

    @abc.abstractmethod
    async def _migrated(self, source: FakeGuest, target: FakeGuest) -> None:
        """Move the guest, `Presence.HERE` at `source` before and at `target` after. Raises what `guest_migrate` does."""

    @abc.abstractmethod
    async def guest_migrate_abort(self, host: HostName, server_id: ServerId) -> None:
        """See `Driver.guest_migrate_abort`."""

    @abc.abstractmethod
    async def guest_migrate_force(self, host: HostName, server_id: ServerId) -> None:
        """See `Driver.guest_migrate_force`."""

    # Orders that make and end guests.

    async def guest_ensure(self, host: HostName, spec: GuestSpec, images: ImageSource, *, run: bool = True) -> Guest:
        """See `Driver.guest_ensure`: the first half defines the guest, the second makes its disk and runs it."""
        move = moves.ensure(spec, wanted=run)
        self._checked(host, spec.server_id, spec.generation)
        self._before(host, move)
        await self._images_ensure(host, spec, images)
        if self._checked(host, spec.server_id, spec.generation) is None:
            disk = self._hardware.disk_left(host, spec.server_id)
            self._hardware.guests_put(self._pinned(moves.made(host, spec, disk)))
        return await self._carry_out(host, spec.server_id, spec.generation, move)

    async def guest_destroy(
        self, host: HostName, server_id: ServerId, generation: int, *, keep_disks: bool = False
    ) -> None:
        """See `Driver.guest_destroy`: the first half ends the guest, the second removes it."""
        guest = self._checked(host, server_id, generation)
        self._before(host, moves.DESTROY)
        if guest is None:
            return
        ended = msgspec.structs.replace(guest, generation=generation, power_state=PowerState.NOSTATE)
        self._hardware.guests_put(ended)
        await self._between(ended, moves.DESTROY)
        guest = self._checked(host, server_id, generation)
        if guest is not None:
            self._hardware.guest_remove(guest, keep_disks=keep_disks)

    async def guest_rebuild(
        self, host: HostName, spec: GuestSpec, images: ImageSource, *, run: bool, keep_disk: bool = False
    ) -> Guest:
        """See `Driver.guest_rebuild`."""
        move = moves.rebuild(spec, wanted=run, keep_disk=keep_disk)
        self._there(host, spec.server_id, spec.generation, move.action)
        await self._images_ensure(host, spec, images)
        return await self._order(host, spec.server_id, spec.generation, move)

    async def guest_rescue(self, host: HostName, spec: GuestSpec, images: ImageSource) -> Guest:
        """See `Driver.guest_rescue`."""
        move = moves.rescue(spec)
        self._there(host, spec.server_id, spec.generation, move.action)
        await self._images_ensure(host, spec, images)
        return await self._order(host, spec.server_id, spec.generation, move)

    async def guest_unrescue(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_unrescue`."""
        return await self._order(host, server_id, generation, moves.UNRESCUE)

    async def guest_resize(self, host: HostName, spec: GuestSpec, *, run: bool) -> Guest:
        """See `Driver.guest_resize`."""
        return await self._order(host, spec.server_id, spec.generation, moves.resize(spec, wanted=run))

    async def guest_resize_confirm(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_resize_confirm`."""
        return await self._order(host, server_id, generation, moves.RESIZE_CONFIRM)

    async def guest_resize_revert(self, host: HostName, server_id: ServerId, generation: int, *, run: bool) -> Guest:
        """See `Driver.guest_resize_revert`."""
        return await self._order(host, server_id, generation, moves.resize_revert(wanted=run))

    # Orders that change its power.

    async def guest_start(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_start`."""
        return await self._order(host, server_id, generation, moves.START)

    async def guest_stop(self, host: HostName, server_id: ServerId, generation: int, grace_s: float) -> Guest:
        """See `Driver.guest_stop`."""
        return await self._order(host, server_id, generation, moves.STOP, grace_s)

    async def guest_reboot(self, host: HostName, server_id: ServerId, generation: int, *, hard: bool) -> Guest:
        """See `Driver.guest_reboot`."""
        return await self._order(host, server_id, generation, moves.reboot(hard=hard))

    async def guest_pause(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_pause`."""
        return await self._order(host, server_id, generation, moves.PAUSE)

    async def guest_unpause(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_unpause`."""
        return await self._order(host, server_id, generation, moves.UNPAUSE)

    async def guest_suspend(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_suspend`."""
        return await self._order(host, server_id, generation, moves.SUSPEND)

    async def guest_resume(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_resume`."""
        return await self._order(host, server_id, generation, moves.RESUME)

    # Orders to a guest that goes on as it is.

    async def guest_password_set(self, host: HostName, server_id: ServerId, generation: int, password: str) -> Guest:
        """See `Driver.guest_password_set`: a guest with nothing on its disk runs no guest agent."""
        return await self._order(host, server_id, generation, moves.PASSWORD_SET)

    async def guest_crash_dump(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_crash_dump`."""
        return await self._order(host, server_id, generation, moves.CRASH_DUMP)

    async def guest_snapshot(
        self, host: HostName, server_id: ServerId, generation: int, image_id: str, disk_format: str, sink: ImageSink
    ) -> Guest:
        """See `Driver.guest_snapshot`: what is stored says which disk it stands for."""
        guest = self._there(host, server_id, generation, moves.SNAPSHOT.action)
        self._before(host, moves.SNAPSHOT)
        await sink.image_upload(image_id, disk_content(guest, disk_format))
        return await self._carry_out(host, server_id, generation, moves.SNAPSHOT)

    async def nic_attach(self, host: HostName, server_id: ServerId, generation: int, nic: GuestNic) -> Guest:
        """See `Driver.nic_attach`."""
        return await self._order(host, server_id, generation, moves.nic_attach(nic))

    async def nic_detach(self, host: HostName, server_id: ServerId, generation: int, port_id: str) -> Guest:
        """See `Driver.nic_detach`."""
        return await self._order(host, server_id, generation, moves.nic_detach(port_id))

    async def volume_attach(self, host: HostName, server_id: ServerId, generation: int, volume: GuestVolume) -> Guest:
        """See `Driver.volume_attach`."""
        return await self._order(host, server_id, generation, moves.volume_attach(volume))

    async def volume_detach(self, host: HostName, server_id: ServerId, generation: int, volume_id: str) -> Guest:
        """See `Driver.volume_detach`."""
        return await self._order(host, server_id, generation, moves.volume_detach(volume_id))

    async def volume_swap(
        self, host: HostName, server_id: ServerId, generation: int, volume_id: str, new: GuestVolume
    ) -> Guest:
        """See `Driver.volume_swap`."""
        return await self._order(host, server_id, generation, moves.volume_swap(volume_id, new))

    # Orders that move it to another host.

    async def guest_offer(self, host: HostName, server_id: ServerId, generation: int) -> dict[str, Any]:
        """See `Driver.guest_offer`."""
        await self._order(host, server_id, generation, moves.offer(generation))
        return {"host": host, "generation": generation}

    async def guest_offer_end(self, host: HostName, server_id: ServerId, generation: int) -> Guest | None:
        """See `Driver.guest_offer_end`."""
        if self._checked(host, server_id, generation) is None:
            return None
        return await self._order(host, server_id, generation, moves.OFFER_END)

    async def guest_receive(
        self, host: HostName, spec: GuestSpec, offer: Mapping[str, Any], images: ImageSource, *, run: bool
    ) -> Guest:
        """See `Driver.guest_receive`: the first half defines the guest, the second has its disk."""
        guest = self._checked(host, spec.server_id, spec.generation)
        halfway = guest or moves.made(host, spec, None)
        move = self._received(halfway, offer, spec, wanted=run)
        move.second_half(halfway, spec.generation)  # raises what stands against it
        self._before(host, move)
        halfway = self._pinned(halfway)
        self._hardware.guests_put(halfway)
        await self._between(halfway, move)
        guest = self._there(host, spec.server_id, spec.generation, move.action)
        move = self._received(guest, offer, spec, wanted=run)
        return self._changed(guest, move.second_half(guest, spec.generation)).shown()

    async def guest_incoming(
        self, host: HostName, spec: GuestSpec, images: ImageSource, *, shared: bool
    ) -> dict[str, Any]:
        """See `Driver.guest_incoming`."""
        self._checked(host, spec.server_id, spec.generation)
        self._before(host, moves.INCOMING)
        if shared and self._hardware.disk_left(host, spec.server_id) is None:
            raise HypervisorFailure(host=host, action=moves.INCOMING.action, reason="its disks aren't seen from here.")
        awaited = moves.awaited(host, spec)
        await self._between(awaited, moves.INCOMING)
        guest = self._checked(host, spec.server_id, spec.generation)
        if guest is None or guest.presence is not Presence.HERE:
            self._hardware.guests_put(self._pinned(awaited))
        elif guest.generation != spec.generation:
            reason = f"the guest {guest.server_id} is there already."
            raise HypervisorFailure(host=host, action=moves.INCOMING.action, reason=reason)
        return {"host": host}

    async def guest_migrate(
        self, host: HostName, server_id: ServerId, generation: int, incoming: Mapping[str, Any], *, shared: bool
    ) -> None:
        """See `Driver.guest_migrate`."""
        target = self._hardware.guest_get(HostName(incoming["host"]), server_id)
        guest = self._checked(host, server_id, generation)
        if target and target.presence is Presence.HERE and (guest is None or guest.presence is Presence.MOVED):
            return
        guest = self._there(host, server_id, generation, moves.MIGRATE.action)
        moves.migrates(guest)
        self._before(host, moves.MIGRATE)
        if target is None or target.presence is not Presence.AWAITED:
            reason = f"{incoming['host']} isn't ready for it."
            raise HypervisorFailure(host=host, action=moves.MIGRATE.action, reason=reason)
        await self._migrated(guest, target)

    async def guest_arrived(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """See `Driver.guest_arrived`."""
        return await self._order(host, server_id, generation, moves.ARRIVED)

    # How an order is carried out.

    async def _order(
        self, host: HostName, server_id: ServerId, generation: int, move: Move, limit_s: float | None = None
    ) -> Guest:
        """Carry out an order about a guest that must be there."""
        guest = self._there(host, server_id, generation, move.action)
        move.second_half(guest, generation)  # raises what stands against it
        self._before(host, move)
        return await self._carry_out(host, server_id, generation, move, limit_s)

    async def _carry_out(
        self, host: HostName, server_id: ServerId, generation: int, move: Move, limit_s: float | None = None
    ) -> Guest:
        guest = self._there(host, server_id, generation, move.action)
        halfway = self._changed(guest, move.first_half(guest, generation))
        idle = not _differ(halfway, move.second_half(halfway, generation))
        await self._between(halfway, move, idle=idle, limit_s=limit_s)
        guest = self._there(host, server_id, generation, move.action)
        return self._changed(guest, move.second_half(guest, generation)).shown()

    def _changed(self, before: FakeGuest, after: FakeGuest) -> FakeGuest:
        if after != before:
            after = self._pinned(after)
            self._hardware.guests_put(after)
        return after

    def _pinned(self, guest: FakeGuest) -> FakeGuest:
        """The guest with processors of its own, where it needs some and has none. Raises `HypervisorFailure`."""
        if guest.pins or not pinning.wanted(guest.spec.numa):
            return guest
        others = (other for other in self._hardware.guests_on(guest.host) if other.server_id != guest.server_id)
        taken = frozenset[int]().union(*(other.taken for other in others))
        try:
            pins = pinning.pinned(self._nodes, guest.spec.numa, taken, guest.taken)
        except ValueError as error:
            raise HypervisorFailure(host=guest.host, action="pin the guest", reason=f"{error}.") from error
        return msgspec.structs.replace(guest, pins=pins)

    def _checked(self, host: HostName, server_id: ServerId, generation: int) -> FakeGuest | None:
        """The guest, if there is one and `generation` isn't older than its own."""
        guest = self._hardware.guest_get(host, server_id)
        if guest is not None and generation < guest.generation:
            raise StaleGeneration(server_id=server_id, stored=guest.generation, given=generation)
        return guest

    def _there(self, host: HostName, server_id: ServerId, generation: int, action: str) -> FakeGuest:
        """The guest, which must be on the host and not on its way."""
        guest = self._checked(host, server_id, generation)
        if guest is None:
            raise NoSuchGuest(host=host, action=action, server_id=server_id)
        if guest.presence is not Presence.HERE:
            reason = f"the guest {server_id} {_ELSEWHERE[guest.presence]}."
            raise HypervisorFailure(host=host, action=action, reason=reason)
        return guest

    def _received(self, guest: FakeGuest, offer: Mapping[str, Any], spec: GuestSpec, *, wanted: bool) -> Move:
        """What a host does that receives a guest. Raises `HypervisorFailure` when its disks are needed and not offered."""
        if guest.disk.content != HALF_MADE:
            return moves.received(guest, spec, wanted=wanted)
        source = self._hardware.guest_get(HostName(offer["host"]), spec.server_id)
        if source is None or source.offered != offer["generation"]:
            reason = f"{offer['host']} doesn't offer its disks."
            raise HypervisorFailure(host=guest.host, action="receive the guest", reason=reason)
        return moves.received(source, spec, wanted=wanted)

    async def _images_ensure(self, host: HostName, spec: GuestSpec, images: ImageSource) -> None:
        """Have the images that a spec names in the cache."""
        for image in (spec.image, spec.kernel, spec.ramdisk):
            if image:
                await self._image_ensure(host, image, images)

    async def guest_diagnostics(self, host: HostName, server_id: ServerId) -> Diagnostics:
        """See `Driver.guest_diagnostics`: what is known without anything that runs."""
        guest = self._hardware.guest_get(host, server_id)
        if guest is None:
            raise NoSuchGuest(host=host, action="tell how the guest does", server_id=server_id)
        return diagnostics_of(guest.spec, guest.shown().power_state, self.name, self.name)

    async def image_fetch(self, host: HostName, image: GuestImage, images: ImageSource) -> None:
        """See `Driver.image_fetch`."""
        await self._image_ensure(host, image, images)

    async def _image_ensure(self, host: HostName, image: GuestImage, images: ImageSource) -> None:
        if image.id not in self._hardware.images():
            digest = hashlib.sha512()
            async for piece in images.image_content(image):
                digest.update(piece)
            if digest.hexdigest() != image.sha512:
                reason = "its content doesn't have the checksum that the image service declared."
                raise HypervisorFailure(host=host, action=f"use the image {image.id}", reason=reason)
        self._hardware.image_used(image.id)


_ELSEWHERE = {
    Presence.AWAITED: "has not arrived yet",
    Presence.SPENT: "did not arrive",
    Presence.MOVED: "was moved to another host",
}


def _differ(before: FakeGuest, after: FakeGuest) -> bool:
    """Whether more than the generation is different."""
    return msgspec.structs.replace(before, generation=after.generation) != after
