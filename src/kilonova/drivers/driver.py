"""The Protocol that every hypervisor driver implements and `testing/driver_contract.py` judges."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from kilonova.kernel.errors import KilonovaError
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestImage, GuestSpec, HostDescription


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

        NOSTATE says that the driver doesn't know: an order is just working on the guest, or its hypervisor hangs.
        """

    async def guest_ensure(self, host: HostName, spec: GuestSpec, images: ImageSource) -> Guest:
        """Make the guest with its disks and cards, and run it. What is there already is kept."""

    async def guest_destroy(self, host: HostName, server_id: ServerId, generation: int) -> None:
        """End the guest and remove all that belongs to it. A guest that isn't there is fine."""

    async def guest_start(self, host: HostName, server_id: ServerId, generation: int) -> Guest:
        """Run a guest that was stopped. Raises `HypervisorFailure` when there is none."""

    async def guest_stop(self, host: HostName, server_id: ServerId, generation: int, grace_s: float) -> Guest:
        """Ask the guest to shut down, and end it if it runs still after `grace_s` seconds. Its disks stay."""

    async def guest_reboot(self, host: HostName, server_id: ServerId, generation: int, *, hard: bool) -> Guest:
        """Restart the guest: soft asks the running system, hard cuts the power and starts anew.

        Rebooting twice with one `generation` reboots once.
        """

    async def console_output(self, host: HostName, server_id: ServerId, lines: int | None) -> str:
        """The end of what the serial console printed, `lines` lines or all that is kept. Empty when nothing is."""

    async def images_cached(self) -> Sequence[str]:
        """Ids of the images kept as base for guests."""

    async def images_clean(self, unused_for_s: float) -> Sequence[str]:
        """Remove cached images that no guest has used for `unused_for_s` seconds; the ids removed."""
