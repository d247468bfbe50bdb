"""A guest that runs nothing: everything a hypervisor would know of it, as one record."""

import enum

import msgspec

from kilonova.drivers.pinning import Pins
from kilonova.kernel.ids import HostName, ServerId
from kilonova.objects.guest import Guest, GuestSpec, PowerState

HALF_MADE = 0
"""The content of a disk that is only being made."""


class Presence(enum.StrEnum):
    """Whether a guest is where its record is: the two sides of a live migration have a record each."""

    HERE = "here"
    AWAITED = "awaited"
    """Its host is ready for it."""
    SPENT = "spent"
    """Its host was ready, and the migration failed: it has to be made ready again."""
    MOVED = "moved"
    """It is on another host now."""


class Disk(msgspec.Struct, frozen=True):
    """A root disk."""

    content: int
    """Stands for what is on it: the generation that it was made for, kept wherever the disk is copied; or `HALF_MADE`."""
    gb: int
    """Its size; 0 is the size of its image."""


class Kept(msgspec.Struct, frozen=True):
    """What a guest was before a resize."""

    spec: GuestSpec
    disk: Disk
    pins: Pins = {}


class FakeGuest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One guest on one host."""

    host: HostName
    generation: int
    spec: GuestSpec
    """What it was made from, with what was plugged in since, and without the secrets of its config drive."""
    disk: Disk
    pins: Pins = {}
    """Which processors of its host are its own."""
    power_state: PowerState = PowerState.NOSTATE
    """NOSTATE while it is only half made, or half gone."""
    presence: Presence = Presence.HERE
    boots: int = 0
    """How often it was started."""
    done: dict[str, int] = {}
    """The last generation of each order that is carried out once for each generation."""
    rescued: bool = False
    rescue_images: tuple[str, ...] = ()
    """Ids of the images that it is rescued with."""
    kept: Kept | None = None
    offered: int = 0
    """The generation for which its disks can be read from other hosts; 0 while they can't."""

    @property
    def server_id(self) -> ServerId:
        """Whose guest it is."""
        return self.spec.server_id

    @property
    def images(self) -> frozenset[str]:
        """Ids of the images that it needs."""
        made_of = (self.spec.image, self.spec.kernel, self.spec.ramdisk)
        return frozenset(image.id for image in made_of if image).union(self.rescue_images)

    @property
    def boots_from_volume(self) -> bool:
        """Whether it has no root disk of its own."""
        return any(volume.boot for volume in self.spec.volumes)

    @property
    def taken(self) -> frozenset[int]:
        """The processors that nobody else may have, those of before a resize included."""
        before = self.kept.pins.values() if self.kept else ()
        return frozenset(self.pins.values()).union(before)

    def shown(self) -> Guest:
        """The guest as drivers show it."""
        power_state = self.power_state if self.presence is Presence.HERE else PowerState.NOSTATE
        return Guest(
            server_id=self.server_id,
            host=self.host,
            generation=self.generation,
            power_state=power_state,
            cell_id=self.spec.cell_id,
            resized=self.kept is not None,
        )


def remembered(spec: GuestSpec) -> GuestSpec:
    """What is kept of a spec: all but the secrets of its config drive."""
    return msgspec.structs.replace(spec, config_drive={})
