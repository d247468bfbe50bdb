"""What each order makes of a guest: pure functions, in two halves with time between them.

A first half leaves what is there when a hypervisor fails, or its host's agent dies, amid an order; done again, the order goes on
from there. A move that doesn't suit the guest raises `HypervisorFailure`, and `Orders` asks before it does anything.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from kilonova.drivers.driver import HypervisorFailure, NoGuestAgent
from kilonova.drivers.fake.guest import HALF_MADE, Disk, FakeGuest, Kept, Presence, remembered
from kilonova.kernel.ids import HostName
from kilonova.objects.guest import GuestNic, GuestSpec, GuestVolume, PowerState

Change = Callable[[FakeGuest], FakeGuest]

_LIVES = frozenset({PowerState.RUNNING, PowerState.PAUSED})
_ENDED = frozenset({PowerState.SHUTDOWN, PowerState.CRASHED})


@dataclass(frozen=True)
class Move:
    """One order."""

    name: str
    """The driver's method, e.g. `guest_stop`."""
    action: str
    """As people say it, e.g. `stop the guest`."""
    second: Change
    """Changes nothing when it was done already."""
    first: Change | None = None
    once: bool = False
    """Whether it is carried out once for each generation."""
    again: Change | None = None
    """What is left to do when it was carried out for this generation already."""

    def first_half(self, guest: FakeGuest, generation: int) -> FakeGuest:
        """The guest in the middle of the order."""
        return self.first(guest) if self.first and not self._was_done(guest, generation) else guest

    def second_half(self, guest: FakeGuest, generation: int) -> FakeGuest:
        """The guest at the end of the order. Raises `HypervisorFailure` when the order doesn't suit it."""
        if self._was_done(guest, generation):
            after = self.again(guest) if self.again else guest
        else:
            after = self.second(guest)
            if self.once:
                after = msgspec.structs.replace(after, done={**after.done, self.name: generation})
        return msgspec.structs.replace(after, generation=generation)

    def _was_done(self, guest: FakeGuest, generation: int) -> bool:
        return self.once and guest.done.get(self.name) == generation


def made(host: HostName, spec: GuestSpec, disk: Disk | None) -> FakeGuest:
    """A new guest, half made: with a disk that was there already, or one that nothing is on yet."""
    found = disk or Disk(HALF_MADE, spec.disk_gb)
    return FakeGuest(host=host, generation=spec.generation, spec=remembered(spec), disk=found)


def run(guest: FakeGuest) -> FakeGuest:
    """Let it run: paused ones go on, all others are started. Raises `HypervisorFailure` for one that was never made whole."""
    if guest.power_state is PowerState.RUNNING:
        return guest
    if guest.disk.content == HALF_MADE and not guest.rescued:
        raise _refused(guest, START.action, "its disk was never made whole.")
    boots = guest.boots + (guest.power_state is not PowerState.PAUSED)
    return msgspec.structs.replace(guest, power_state=PowerState.RUNNING, boots=boots, offered=0)


def end(guest: FakeGuest) -> FakeGuest:
    """Cut its power."""
    return msgspec.structs.replace(guest, power_state=PowerState.SHUTDOWN)


def ensure(spec: GuestSpec, *, wanted: bool) -> Move:
    """The second half of `Driver.guest_ensure`; the first is `made`."""

    def second(guest: FakeGuest) -> FakeGuest:
        if guest.disk.content == HALF_MADE:
            guest = msgspec.structs.replace(guest, disk=Disk(spec.generation, guest.disk.gb))
        if wanted:
            return run(guest)
        return end(guest) if guest.power_state is PowerState.NOSTATE else guest

    return Move("guest_ensure", "make the guest", second)


def reboot(*, hard: bool) -> Move:
    """See `Driver.guest_reboot`: the first half of a hard one cuts the power."""

    def second(guest: FakeGuest) -> FakeGuest:
        return run(end(guest))

    return Move("guest_reboot", "reboot the guest", second, first=end if hard else None, once=True, again=run)


def rescue(spec: GuestSpec) -> Move:
    """See `Driver.guest_rescue`."""
    images = tuple(image.id for image in (spec.image, spec.kernel, spec.ramdisk) if image)

    def second(guest: FakeGuest) -> FakeGuest:
        return run(msgspec.structs.replace(end(guest), rescued=True, rescue_images=images))

    return Move("guest_rescue", "rescue the guest", second, first=end, once=True, again=run)


def rebuild(spec: GuestSpec, *, wanted: bool, keep_disk: bool) -> Move:
    """See `Driver.guest_rebuild`."""

    def second(guest: FakeGuest) -> FakeGuest:
        disk = guest.disk if keep_disk else Disk(spec.generation, spec.disk_gb)
        anew = msgspec.structs.replace(
            end(guest), spec=remembered(spec), disk=disk, rescued=False, rescue_images=(), offered=0
        )
        return _run_if(anew, wanted)

    again = run if wanted else None
    return Move("guest_rebuild", "rebuild the guest", second, first=end, once=True, again=again)


def resize(spec: GuestSpec, *, wanted: bool) -> Move:
    """See `Driver.guest_resize`."""

    def second(guest: FakeGuest) -> FakeGuest:
        disk = Disk(guest.disk.content, _grown(guest, guest.disk.gb, spec, "resize the guest"))
        kept = Kept(guest.spec, guest.disk, guest.pins)
        resized = msgspec.structs.replace(end(guest), spec=remembered(spec), disk=disk, pins={}, kept=kept)
        return _run_if(resized, wanted)

    return Move("guest_resize", "resize the guest", second, first=end, once=True, again=run if wanted else None)


def resize_revert(*, wanted: bool) -> Move:
    """See `Driver.guest_resize_revert`."""

    def first(guest: FakeGuest) -> FakeGuest:
        return end(guest) if guest.kept else guest

    def second(guest: FakeGuest) -> FakeGuest:
        if guest.kept:
            kept = guest.kept
            guest = msgspec.structs.replace(end(guest), spec=kept.spec, disk=kept.disk, pins=kept.pins, kept=None)
        return _run_if(guest, wanted)

    return Move("guest_resize_revert", "revert the resize", second, first=first)


def nic_attach(nic: GuestNic) -> Move:
    """See `Driver.nic_attach`."""

    def second(guest: FakeGuest) -> FakeGuest:
        there = any(other.port_id == nic.port_id for other in guest.spec.nics)
        return guest if there else _plugged(guest, nics=(*guest.spec.nics, nic))

    return Move("nic_attach", "plug in a card", second)


def nic_detach(port_id: str) -> Move:
    """See `Driver.nic_detach`."""

    def second(guest: FakeGuest) -> FakeGuest:
        return _plugged(guest, nics=tuple(nic for nic in guest.spec.nics if nic.port_id != port_id))

    return Move("nic_detach", "unplug a card", second)


def volume_attach(volume: GuestVolume) -> Move:
    """See `Driver.volume_attach`."""

    def second(guest: FakeGuest) -> FakeGuest:
        there = _volume(guest, volume.volume_id)
        return guest if there else _plugged(guest, volumes=(*guest.spec.volumes, volume))

    return Move("volume_attach", "plug in a volume", second)


def volume_detach(volume_id: str) -> Move:
    """See `Driver.volume_detach`."""

    def second(guest: FakeGuest) -> FakeGuest:
        return _plugged(guest, volumes=tuple(it for it in guest.spec.volumes if it.volume_id != volume_id))

    return Move("volume_detach", "unplug a volume", second)


def volume_swap(volume_id: str, new: GuestVolume) -> Move:
    """See `Driver.volume_swap`."""
    action = "swap a volume"

    def second(guest: FakeGuest) -> FakeGuest:
        old = _volume(guest, volume_id)
        if old is None:
            if _volume(guest, new.volume_id):
                return guest
            raise _refused(guest, action, f"it has no volume {volume_id}.")
        put = msgspec.structs.replace(new, device=old.device, boot=old.boot)
        return _plugged(guest, volumes=tuple(put if it is old else it for it in guest.spec.volumes))

    return Move("volume_swap", action, second)


def offer(generation: int) -> Move:
    """See `Driver.guest_offer`."""
    action = "offer the guest's disks"

    def second(guest: FakeGuest) -> FakeGuest:
        _need(guest, _ENDED, action, "it isn't stopped.")
        return msgspec.structs.replace(guest, offered=generation)

    return Move("guest_offer", action, second)


def received(source: FakeGuest, spec: GuestSpec, *, wanted: bool) -> Move:
    """The second half of `Driver.guest_receive`; the first is `made`."""
    action = "receive the guest"

    def second(guest: FakeGuest) -> FakeGuest:
        if guest.disk.content == HALF_MADE:
            disk = Disk(source.disk.content, _grown(source, source.disk.gb, spec, action))
            guest = end(msgspec.structs.replace(guest, disk=disk))
        return _run_if(guest, wanted)

    return Move("guest_receive", action, second)


def awaited(host: HostName, spec: GuestSpec) -> FakeGuest:
    """The record of a guest that will be migrated to `host` while it runs."""
    return msgspec.structs.replace(made(host, spec, None), presence=Presence.AWAITED)


def moved(source: FakeGuest, target: FakeGuest) -> tuple[FakeGuest, FakeGuest]:
    """Both records after a live migration: one moment decides."""
    there = msgspec.structs.replace(
        target,
        power_state=source.power_state,
        presence=Presence.HERE,
        disk=source.disk,
        boots=source.boots,
        done=source.done,
        rescued=source.rescued,
        rescue_images=source.rescue_images,
    )
    return msgspec.structs.replace(end(source), presence=Presence.MOVED), there


def migrates(guest: FakeGuest) -> None:
    """Raises `HypervisorFailure` unless a live migration of the guest can begin."""
    _need(guest, _LIVES, "migrate the guest", "it doesn't run.")


def _stop(guest: FakeGuest) -> FakeGuest:
    return guest if guest.power_state is PowerState.SHUTDOWN else end(guest)


def _pause(guest: FakeGuest) -> FakeGuest:
    _need(guest, _LIVES, "pause the guest", "it doesn't run.")
    return msgspec.structs.replace(guest, power_state=PowerState.PAUSED)


def _unpause(guest: FakeGuest) -> FakeGuest:
    _need(guest, _LIVES, "unpause the guest", "it isn't paused.")
    return run(guest)


def _suspend(guest: FakeGuest) -> FakeGuest:
    _need(guest, _LIVES | {PowerState.SUSPENDED}, "suspend the guest", "it doesn't run.")
    return msgspec.structs.replace(guest, power_state=PowerState.SUSPENDED)


def _resume(guest: FakeGuest) -> FakeGuest:
    _need(guest, frozenset({PowerState.RUNNING, PowerState.SUSPENDED}), "resume the guest", "it isn't suspended.")
    return msgspec.structs.replace(guest, power_state=PowerState.RUNNING)


def _unrescue_first(guest: FakeGuest) -> FakeGuest:
    return end(guest) if guest.rescued else guest


def _unrescue(guest: FakeGuest) -> FakeGuest:
    if guest.rescued:
        guest = msgspec.structs.replace(end(guest), rescued=False, rescue_images=())
    return run(guest)


def _confirm(guest: FakeGuest) -> FakeGuest:
    return msgspec.structs.replace(guest, kept=None)


def _password(guest: FakeGuest) -> FakeGuest:
    action = "set the password"
    _need(guest, frozenset({PowerState.RUNNING}), action, "it doesn't run.")
    if guest.spec.image is None and not guest.boots_from_volume:
        raise NoGuestAgent(server_id=guest.server_id, host=guest.host, action=action)
    return guest


def _crash_dump(guest: FakeGuest) -> FakeGuest:
    _need(guest, frozenset({PowerState.RUNNING}), "crash the guest", "it doesn't run.")
    return guest


def _offer_end(guest: FakeGuest) -> FakeGuest:
    return msgspec.structs.replace(guest, offered=0)


def _same(guest: FakeGuest) -> FakeGuest:
    return guest


START = Move("guest_start", "start the guest", run)
STOP = Move("guest_stop", "stop the guest", _stop)
PAUSE = Move("guest_pause", "pause the guest", _pause)
UNPAUSE = Move("guest_unpause", "unpause the guest", _unpause)
SUSPEND = Move("guest_suspend", "suspend the guest", _suspend)
RESUME = Move("guest_resume", "resume the guest", _resume)
UNRESCUE = Move("guest_unrescue", "unrescue the guest", _unrescue, first=_unrescue_first)
RESIZE_CONFIRM = Move("guest_resize_confirm", "confirm the resize", _confirm)
PASSWORD_SET = Move("guest_password_set", "set the password", _password)
CRASH_DUMP = Move("guest_crash_dump", "crash the guest", _crash_dump, once=True)
SNAPSHOT = Move("guest_snapshot", "snapshot the guest", _same)
OFFER_END = Move("guest_offer_end", "end the offer", _offer_end)
DESTROY = Move("guest_destroy", "destroy the guest", _same)
INCOMING = Move("guest_incoming", "make ready for the guest", _same)
MIGRATE = Move("guest_migrate", "migrate the guest", _same)
ARRIVED = Move("guest_arrived", "take the guest", _same)


def _refused(guest: FakeGuest, action: str, reason: str) -> HypervisorFailure:
    return HypervisorFailure(host=guest.host, action=action, reason=reason)


def _need(guest: FakeGuest, states: frozenset[PowerState], action: str, reason: str) -> None:
    if guest.power_state not in states:
        raise _refused(guest, action, reason)


def _run_if(guest: FakeGuest, wanted: bool) -> FakeGuest:
    return run(guest) if wanted else guest


def _grown(guest: FakeGuest, gb: int, spec: GuestSpec, action: str) -> int:
    if spec.disk_gb < gb and not guest.boots_from_volume:
        raise _refused(guest, action, f"its disk of {gb} GiB can't shrink to {spec.disk_gb} GiB.")
    return spec.disk_gb


def _volume(guest: FakeGuest, volume_id: str) -> GuestVolume | None:
    return next((volume for volume in guest.spec.volumes if volume.volume_id == volume_id), None)


def _plugged(
    guest: FakeGuest, *, nics: tuple[GuestNic, ...] | None = None, volumes: tuple[GuestVolume, ...] | None = None
) -> FakeGuest:
    nics = guest.spec.nics if nics is None else nics
    volumes = guest.spec.volumes if volumes is None else volumes
    return msgspec.structs.replace(guest, spec=msgspec.structs.replace(guest.spec, nics=nics, volumes=volumes))
