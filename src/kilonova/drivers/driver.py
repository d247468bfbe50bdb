"""The Protocol that every hypervisor driver implements and `testing/driver_contract.py` judges."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from kilonova.kernel.errors import KilonovaError
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.diagnostics import Diagnostics
from kilonova.objects.guest import Guest, GuestImage, GuestNic, GuestSpec, GuestVolume, HostDescription


class HypervisorFailure(KilonovaError):
    """The hypervisor on {host} could not {action}: {reason}"""

    code = "hypervisor-failure"


class StaleGeneration(KilonovaError):
    """The guest {server_id} has generation {stored}; an order with generation {given} comes too late."""

    code = "stale-generation"


class ImageSource(Protocol):
    """Where a driver gets the content of images: the agent gives it, the gateway stands behind."""

    def image_content(self, image: GuestImage) -> AsyncIterator[bytes]:
        """The content in pieces. Raises `Unavailable` or `NotFound` (kernel.errors)."""


class NoGuestAgent(HypervisorFailure):
    """The guest {server_id} on {host} runs no guest agent, so that {action} can't be done inside it"""

    code = "no-guest-agent"


class NoSuchGuest(HypervisorFailure):
    """The hypervisor on {host} could not {action}: there is no guest {server_id}. Rebuild the server, or delete it."""

    code = "no-such-guest"


class MigrationAborted(HypervisorFailure):
    """The migration of {server_id} from {host} was aborted; the guest runs where it was"""

    code = "migration-aborted"


class ImageSink(Protocol):
    """Where a driver puts the content of an image that it made: the agent gives it, the gateway stands behind."""

    async def image_upload(self, image_id: str, content: AsyncIterator[bytes]) -> None:
        """Store the whole content of an image that was declared. Raises `Unavailable`, `NotFound` when it was deleted.

        An image that has its content already keeps it, and `content` is not read.
        """


class ImageStore(ImageSource, ImageSink, Protocol):
    """Both: the way to the image service that an agent has."""


class Driver(Protocol):
    """A hypervisor, or many. Every call may be repeated: a second one finds the work done and changes nothing.

    Calls raise `HypervisorFailure` when the hypervisor says no, and `StaleGeneration` when `generation` is lower than the one
    stored with the guest. Guests outlive the process and are found again by `guests`.
    """

    name: str

    async def start(self) -> None:
        """Find what runs already. Raises `HypervisorFailure` with a sentence for the operator when this can't work here."""

    def notices(self) -> Sequence[str]:
        """What the operator should know of this hypervisor, a sentence each: e.g. that there is no acceleration.

        Known after `start`; whoever starts a cloud says each once.
        """

    async def close(self) -> None:
        """Let go of guests without touching them."""

    async def hosts(self) -> Sequence[HostDescription]:
        """The hosts this driver serves, with their resources now."""

    async def guests(self) -> Sequence[Guest]:
        """Every guest there is on these hosts, running or not.

        NOSTATE says that the driver doesn't know: an order is just working on the guest, or its hypervisor hangs. Raises
        `HypervisorFailure` when it can't see all of them: a guest that isn't shown is one that isn't there.
        """

    async def guest_ensure(self, host: HostName, spec: GuestSpec, images: ImageSource, *, run: bool = True) -> Guest:
        """Make the guest with its disks, volumes and cards, and run it if `run`. What is there already is kept.

        With disks on shared storage a guest that another host has left there is taken over with them.
        """

    async def guest_destroy(
        self, host: HostName, server_id: ServerId, generation: int, *, keep_disks: bool = False
    ) -> None:
        """End the guest and remove all that belongs to it, but for disks on shared storage with `keep_disks`.

        A guest that isn't there is fine.
        """

    async def guest_start(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """Run a guest that was stopped. Raises `HypervisorFailure` when there is none."""

    async def guest_stop(self, host: HostName, server_id: ServerId, generation: int, grace_s: float) -> Guest:
        """Ask the guest to shut down, and end it if it runs still after `grace_s` seconds. Its disks stay."""

    async def guest_reboot(self, host: HostName, server_id: ServerId, generation: int, *, hard: bool) -> Guest:
        """Restart the guest: soft asks the running system, hard cuts the power and starts anew.

        Rebooting twice with one `generation` reboots once.
        """

    async def guest_pause(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """Stop the guest's processors; its memory stays."""

    async def guest_unpause(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """Let a paused guest go on. One that runs is fine."""

    async def guest_suspend(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """Write the guest's memory to a file and end it: SUSPENDED. A hard reboot or a start gives the memory up."""

    async def guest_resume(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """Let a suspended guest go on from its memory. One that runs is fine."""

    async def guest_rescue(self, host: HostName, spec: GuestSpec, images: ImageSource) -> Guest:
        """Run the guest from the spec's image, kernel and ramdisk, with its own root disk as the second one.

        Its own disk, and what `guest_unrescue` needs, stay as they are.
        """

    async def guest_unrescue(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """Run a rescued guest from its own root disk again, and remove the rescue's. One that isn't rescued is run."""

    async def guest_rebuild(
        self, host: HostName, spec: GuestSpec, images: ImageSource, *, run: bool, keep_disk: bool = False
    ) -> Guest:
        """End the guest, make its root disk anew from the spec's image (unless `keep_disk`) and the rest as `spec` says.

        Rebuilding twice with one generation rebuilds once. Raises `NoSuchGuest` when there is none.
        """

    async def guest_resize(self, host: HostName, spec: GuestSpec, *, run: bool) -> Guest:
        """End the guest, give it the sizes of `spec` and keep what it was for `guest_resize_revert`; then run it if `run`.

        The root disk grows and never shrinks: a smaller one is refused with `HypervisorFailure`. Until it is decided about, the
        guest is shown as `resized`.
        """

    async def guest_resize_confirm(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """Forget what `guest_resize` kept. Nothing kept is fine."""

    async def guest_resize_revert(self, host: HostName, server_id: ServerId, generation: int, *, run: bool) -> Guest:
        """End the guest and make it what `guest_resize` kept, disk included; then run it if `run`. Nothing kept is fine."""

    async def guest_password_set(self, host: HostName, server_id: ServerId, generation: int, password: str) -> Guest:
        """Set the administrator's password inside the running guest. Raises `NoGuestAgent` when it has no guest agent."""

    async def guest_crash_dump(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """Send the running guest a non-maskable interrupt."""

    async def guest_snapshot(
        self, host: HostName, server_id: ServerId, generation: int, image_id: str, disk_format: str, sink: ImageSink
    ) -> Guest:
        """Store the guest's root disk, as of one moment and with nothing beneath it, as the content of an image.

        A running guest goes on running; so does a paused, suspended or stopped one stay what it is.
        """

    async def nic_attach(self, host: HostName, server_id: ServerId, generation: int, nic: GuestNic) -> Guest:
        """Plug a card into the guest, running or not, so that it is there after each start. One that is there is fine."""

    async def nic_detach(self, host: HostName, server_id: ServerId, generation: int, port_id: str) -> Guest:
        """Unplug the card of a port and wait until the guest has let it go. One that isn't there is fine.

        Raises `HypervisorFailure` when the guest keeps it; the call may be repeated.
        """

    async def volume_attach(self, host: HostName, server_id: ServerId, generation: int, volume: GuestVolume) -> Guest:
        """Plug a volume into the guest, running or not, so that it is there after each start. One that is there is fine."""

    async def volume_detach(self, host: HostName, server_id: ServerId, generation: int, volume_id: str) -> Guest:
        """Unplug a volume and wait until the guest has let it go. One that isn't there is fine."""

    async def volume_swap(
        self, host: HostName, server_id: ServerId, generation: int, volume_id: str, new: GuestVolume
    ) -> Guest:
        """Copy the content of a volume to `new` while the guest uses it, and go on with `new` under the same device."""

    async def guest_offer(self, host: HostName, server_id: ServerId, generation: int) -> dict[str, Any]:
        """Let another host read the disks of a stopped guest; what `guest_receive` there needs for it, JSON-ready."""

    async def guest_offer_end(self, host: HostName, server_id: ServerId, generation: int) -> Guest | None:
        """Let nobody read them any more. No offer, or no guest, is fine."""

    async def guest_receive(
        self, host: HostName, spec: GuestSpec, offer: Mapping[str, Any], images: ImageSource, *, run: bool
    ) -> Guest:
        """Make the guest from the disks that another host offers, grown to the sizes of `spec`; then run it if `run`.

        What is complete already is kept; half a copy is begun anew.
        """

    async def guest_incoming(
        self, host: HostName, spec: GuestSpec, images: ImageSource, *, shared: bool
    ) -> dict[str, Any]:
        """Make ready for a guest that will be migrated here while it runs; what `guest_migrate` needs, JSON-ready.

        With `shared` its disks are seen from here already, else they will be copied. `guest_destroy` takes it back.
        """

    async def guest_migrate(
        self, host: HostName, server_id: ServerId, generation: int, incoming: Mapping[str, Any], *, shared: bool
    ) -> None:
        """Move a running or paused guest to the host that made ready. Done when it is there and no longer runs here.

        Raises `MigrationAborted` after `guest_migrate_abort`, and `HypervisorFailure` when the guest still runs here.
        A repetition finds the guest moved already and is fine.
        """

    async def guest_migrate_abort(self, host: HostName, server_id: ServerId) -> None:
        """Let the migration under way fail, if there is one and it can still be stopped."""

    async def guest_migrate_force(self, host: HostName, server_id: ServerId) -> None:
        """Let the migration under way come to its end, by pausing the guest until it is done."""

    async def guest_arrived(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """Take a guest that was migrated here as one of this host's own."""

    async def console_output(self, host: HostName, server_id: ServerId, lines: int | None) -> str:
        """The end of what the serial console printed, `lines` lines or all that is kept. Empty when nothing is."""

    async def guest_diagnostics(self, host: HostName, server_id: ServerId) -> Diagnostics:
        """How the guest does just now, as far as the hypervisor can tell. Raises `NoSuchGuest`."""

    async def image_fetch(self, host: HostName, image: GuestImage, images: ImageSource) -> None:
        """Have an image in the cache before a guest needs it. One that is there already is fine."""

    async def images_cached(self) -> Sequence[str]:
        """Ids of the images kept as base for guests."""

    async def images_clean(self, unused_for_s: float) -> Sequence[str]:
        """Remove cached images that no guest has used for `unused_for_s` seconds; the ids removed."""
