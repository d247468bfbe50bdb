"""Which disks a new server gets (API reference, "Create server", `block_device_mapping_v2`): its root disk, and volumes.

The root disk is made from an image on the host, or is a volume that exists. Volumes that would have to be made first, from an
image or a snapshot or blank, are not: they are made at the volume service and named here.
"""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from kilonova.api.compute import Compute
from kilonova.api.server_body import BlockDevice, ServerCreate
from kilonova.clients.volume import NoVolumes
from kilonova.kernel.errors import Invalid, NotFound, NotImplementedHere
from kilonova.objects.caller import Caller
from kilonova.objects.guest import GuestVolume
from kilonova.objects.server import Volume

ROOT = "/dev/vda"
_LETTERS = "bcdefghijklmnopqrstuvwxyz"


class BadMapping(Invalid):
    """Block Device Mapping is Invalid: {reason}"""

    code = "bad-block-device-mapping"


class NoBlockStorage(Invalid):
    """Block Device Mapping is Invalid: no block storage is configured; a server boots from an image onto its host's disk."""

    code = "no-block-storage"


class VolumeToMake(NotImplementedHere):
    """Volumes are not made while a server is created: make one from the {source} at the volume service, and boot from it."""

    code = "volume-to-make"


class Disks(msgspec.Struct, frozen=True, kw_only=True):
    """The disks that mappings ask for."""

    image_id: str | None = None
    """The image that they put onto the host's own disk."""
    volumes: tuple[Volume, ...] = ()

    @property
    def boots_from_volume(self) -> bool:
        """Whether the root disk is a volume."""
        return any(volume.guest.boot for volume in self.volumes)


async def disks_of(caller: Caller, compute: Compute, wish: ServerCreate, count: int) -> Disks:
    """The disks of each of `count` servers, every volume checked. Raises `Invalid`, `NotImplementedHere`."""
    mapped = wish.block_device_mapping_v2
    if wish.block_device_mapping:
        raise NoBlockStorage if isinstance(compute.volumes, NoVolumes) else BadMapping(reason="use version 2 of it.")
    local = [device for device in mapped if _is_local_boot(device)]
    others = [device for device in mapped if not _is_local_boot(device)]
    if others and isinstance(compute.volumes, NoVolumes):
        raise NoBlockStorage
    if others and count > 1:
        raise BadMapping(reason="one volume can't be attached to several servers.")
    _check_boot_order(mapped)
    volumes = [await _volume(caller, compute, device, others[:at]) for at, device in enumerate(others)]
    image_id = next((_image_id(device) for device in local), None)
    return Disks(image_id=image_id, volumes=tuple(volumes))


def _check_boot_order(mapped: Sequence[BlockDevice]) -> None:
    """One mapping at most is the root disk, and where there are only volumes one has to be, unless an image is given."""
    if sum(_is_root(device) for device in mapped) > 1:
        raise BadMapping(
            reason="Boot sequence for the instance and image/block device mapping combination is not valid."
        )
    names = [device.uuid for device in mapped if device.source_type == "volume"]
    if len(set(names)) < len(names):
        raise BadMapping(reason="a volume is named twice.")


async def _volume(caller: Caller, compute: Compute, device: BlockDevice, before: Sequence[BlockDevice]) -> Volume:
    """A volume that exists. Raises `BadMapping` unless it can be had."""
    volume_id = device.uuid if device.uuid is not UNSET else device.volume_id
    if device.source_type != "volume" or device.destination_type == "local" or volume_id is UNSET:
        raise VolumeToMake(source="source" if device.source_type is UNSET else device.source_type)
    try:
        volume = await compute.volumes.volume_get(caller, str(volume_id))
    except NotFound as error:
        raise BadMapping(reason=f"failed to get volume {str(volume_id)[:100]}.") from error
    if not volume.attachable:
        raise BadMapping(reason=f"volume {volume.id} is {volume.status}; it must be available.")
    boot = _is_root(device)
    if boot and not volume.bootable:
        raise BadMapping(reason=f"Block Device {volume.id} is not bootable.")
    position = sum(not _is_root(one) for one in before)
    if position >= len(_LETTERS):
        raise BadMapping(reason="there are too many volumes.")
    return Volume(
        guest=GuestVolume(
            volume_id=volume.id,
            attachment_id="",
            connection={},
            device=ROOT if boot else f"/dev/vd{_LETTERS[position]}",
            boot=boot,
        ),
        tag=None if device.tag is UNSET else device.tag,
        delete_on_termination=bool(device.delete_on_termination),
    )


def _image_id(device: BlockDevice) -> str:
    given = device.uuid if device.uuid is not UNSET else device.image_id
    if given is UNSET:
        raise BadMapping(reason="the boot device names no image.")
    return str(given)


def _is_root(device: BlockDevice) -> bool:
    return str(device.boot_index) == "0"


def _is_local_boot(device: BlockDevice) -> bool:
    return (
        device.source_type == "image"
        and device.destination_type == "local"
        and _is_root(device)
        and device.volume_size is None
    )
