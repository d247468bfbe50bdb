"""What a host is asked to do to a guest: one shape for each kind of host step. Drivers say what each means (`drivers.driver`)."""

from typing import Any

import msgspec

from kilonova.objects.guest import GuestNic, GuestSpec, GuestVolume


class HostAction(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    """One of the shapes below; `action` names it on the wire."""


class Spawn(HostAction, frozen=True, kw_only=True, tag="spawn"):
    """Make the guest with its disks and cards, and run it unless `run` is false."""

    spec: GuestSpec
    run: bool = True


class Destroy(HostAction, frozen=True, kw_only=True, tag="destroy"):
    """End the guest, and remove what belongs to it."""

    keep_disks: bool = False
    """Whether its disks stay, because they lie on shared storage and live on elsewhere."""


class Start(HostAction, frozen=True, kw_only=True, tag="start"):
    """Run a guest that was stopped."""


class Stop(HostAction, frozen=True, kw_only=True, tag="stop"):
    """Ask the guest to shut down, and cut its power when it hasn't after `grace_s` seconds."""

    grace_s: float


class Reboot(HostAction, frozen=True, kw_only=True, tag="reboot"):
    """Restart the guest."""

    hard: bool


class Pause(HostAction, frozen=True, kw_only=True, tag="pause"):
    """Stop the guest's processors; its memory stays."""


class Unpause(HostAction, frozen=True, kw_only=True, tag="unpause"):
    """Let a paused guest go on."""


class Suspend(HostAction, frozen=True, kw_only=True, tag="suspend"):
    """Write the guest's memory to its disk and end it."""


class Resume(HostAction, frozen=True, kw_only=True, tag="resume"):
    """Let a suspended guest go on from its written memory."""


class Rescue(HostAction, frozen=True, kw_only=True, tag="rescue"):
    """Run the guest from another image, with its own root disk as the second one."""

    spec: GuestSpec
    """As `Spawn`'s, with the image, kernel and ramdisk to rescue with."""


class Unrescue(HostAction, frozen=True, kw_only=True, tag="unrescue"):
    """Run a rescued guest from its own root disk again."""


class Rebuild(HostAction, frozen=True, kw_only=True, tag="rebuild"):
    """Make the guest's root disk anew from the spec's image, and everything else as the spec says."""

    spec: GuestSpec
    run: bool
    keep_disk: bool = False
    """Whether the root disk stays as it is and only the rest is made anew."""


class Resize(HostAction, frozen=True, kw_only=True, tag="resize"):
    """Give a stopped guest the sizes of the spec, on the same host, and keep what is needed to go back."""

    spec: GuestSpec
    run: bool


class ResizeConfirm(HostAction, frozen=True, kw_only=True, tag="resize_confirm"):
    """Forget what `Resize` kept."""


class ResizeRevert(HostAction, frozen=True, kw_only=True, tag="resize_revert"):
    """Go back to what `Resize` kept."""

    run: bool


class SetPassword(HostAction, frozen=True, kw_only=True, tag="set_password"):
    """Set the administrator's password inside the guest, through its guest agent."""

    password: str


class CrashDump(HostAction, frozen=True, kw_only=True, tag="crash_dump"):
    """Send the guest a non-maskable interrupt, so that its system writes a crash dump."""


class Snapshot(HostAction, frozen=True, kw_only=True, tag="snapshot"):
    """Read the guest's root disk as of one moment and store it as the content of an image."""

    image_id: str
    disk_format: str
    """As the image was declared: `qcow2` or `raw`."""


class NicAttach(HostAction, frozen=True, kw_only=True, tag="nic_attach"):
    """Plug a card in."""

    nic: GuestNic


class NicDetach(HostAction, frozen=True, kw_only=True, tag="nic_detach"):
    """Unplug the card of a port."""

    port_id: str


class VolumeAttach(HostAction, frozen=True, kw_only=True, tag="volume_attach"):
    """Plug a volume in."""

    volume: GuestVolume


class VolumeDetach(HostAction, frozen=True, kw_only=True, tag="volume_detach"):
    """Unplug a volume."""

    volume_id: str


class VolumeSwap(HostAction, frozen=True, kw_only=True, tag="volume_swap"):
    """Copy a volume to another while the guest uses it, and go on with the other."""

    volume_id: str
    new: GuestVolume


class Offer(HostAction, frozen=True, kw_only=True, tag="offer"):
    """Let another host read the disks of a stopped guest. Leaves an output `offer` for `Receive`."""


class OfferEnd(HostAction, frozen=True, kw_only=True, tag="offer_end"):
    """Let nobody read them any more."""


class Receive(HostAction, frozen=True, kw_only=True, tag="receive"):
    """Make the guest from an offer of another host, and run it unless `run` is false."""

    spec: GuestSpec
    offer: dict[str, Any]
    run: bool


class Incoming(HostAction, frozen=True, kw_only=True, tag="incoming"):
    """Make ready for a guest that will be migrated here while it runs. Leaves an output `incoming` for `Migrate`."""

    spec: GuestSpec
    shared: bool
    """Whether both hosts see the same disks."""


class Migrate(HostAction, frozen=True, kw_only=True, tag="migrate"):
    """Move a running guest to the host that made ready; done when it runs there and no longer here."""

    incoming: dict[str, Any]
    shared: bool


class Arrived(HostAction, frozen=True, kw_only=True, tag="arrived"):
    """Take a guest that has been migrated here as one of this host's own."""


AnyHostAction = (
    Spawn
    | Destroy
    | Start
    | Stop
    | Reboot
    | Pause
    | Unpause
    | Suspend
    | Resume
    | Rescue
    | Unrescue
    | Rebuild
    | Resize
    | ResizeConfirm
    | ResizeRevert
    | SetPassword
    | CrashDump
    | Snapshot
    | NicAttach
    | NicDetach
    | VolumeAttach
    | VolumeDetach
    | VolumeSwap
    | Offer
    | OfferEnd
    | Receive
    | Incoming
    | Migrate
    | Arrived
)
