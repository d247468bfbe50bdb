"""What a new server boots from: its image and flavor, checked against each other."""

from dataclasses import dataclass, field

from kilonova.api.compute import Compute
from kilonova.api.flavor_store import FlavorNotFound, flavor_find_txn
from kilonova.api.server_access import is_admin
from kilonova.api.server_body import ServerCreate
from kilonova.api.server_disks import Disks
from kilonova.kernel.errors import Forbidden, Invalid, NotFound
from kilonova.objects.caller import Caller
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import GuestImage
from kilonova.objects.image import Image

_GIB = 1 << 30


class NoSuchFlavor(Invalid):
    """Flavor {id} could not be found."""

    code = "no-such-flavor"


class ImageNotActive(Invalid):
    """Image {id} is not active."""

    code = "image-not-active"


class ImageWithoutHash(Invalid):
    """Image {id} has no sha512 hash, so that its content could not be verified."""

    code = "image-without-hash"


class NoImage(Invalid):
    """Missing imageRef attribute"""

    code = "no-image"


class OtherImage(Invalid):
    """Block Device Mapping is Invalid: the boot device's image {mapped} is not imageRef {given}."""

    code = "other-image"


class MemoryTooSmall(Invalid):
    """Flavor's memory is too small for requested image."""

    code = "flavor-memory-too-small"


class DiskSmallerThanImage(Invalid):
    """Flavor's disk is too small for requested image. Flavor disk is {disk} bytes, image is {size} bytes."""

    code = "flavor-disk-too-small"


class DiskSmallerThanMinimum(Invalid):
    """Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is {disk} bytes, minimum size is {size} bytes."""  # noqa: E501

    code = "flavor-disk-below-minimum"


class ZeroDisk(Forbidden):
    """Only volume-backed servers are allowed for flavors with zero disk."""

    code = "zero-disk-flavor"


@dataclass(frozen=True)
class BootImages:
    """The content that a guest starts from."""

    id: str | None = None
    """None for a server that boots from a volume."""
    properties: dict[str, str] = field(default_factory=dict)
    """As the server keeps them: those of the image, and what it is made of."""
    disk: GuestImage | None = None
    kernel: GuestImage | None = None
    ramdisk: GuestImage | None = None


async def content_for_hosts(caller: Caller, compute: Compute, image_id: str) -> GuestImage:
    """What hosts are told of an image that the caller may use. Raises `Invalid`."""
    return _content(await _image(caller, compute, image_id))


async def flavor_of(caller: Caller, compute: Compute, flavor_id: str) -> Flavor:
    """The flavor asked for. Raises `Invalid` for one that isn't there for the caller, or not for new servers."""
    seen_by = None if is_admin(caller, compute) else caller.project_id
    try:
        flavor = await compute.database.read(flavor_find_txn, flavor_id, seen_by)
    except FlavorNotFound as error:
        raise NoSuchFlavor(id=flavor_id[:100]) from error
    if flavor.disabled:
        raise NoSuchFlavor(id=flavor_id)
    return flavor


async def images_of(caller: Caller, compute: Compute, wish: ServerCreate, flavor: Flavor, disks: Disks) -> BootImages:
    """The images asked for, fit for `flavor`; none for a server that boots from a volume. Raises `Invalid`, `Forbidden`."""
    if disks.boots_from_volume:
        if wish.image_ref:
            raise OtherImage(mapped="of a volume", given=wish.image_ref)
        return BootImages()
    if flavor.disk_gb == 0 and not compute.policy.allows("os_compute_api:servers:create:zero_disk_flavor", caller):
        raise ZeroDisk
    return await content_of(caller, compute, _image_id(wish, disks.image_id), flavor)


async def content_of(caller: Caller, compute: Compute, image_id: str, flavor: Flavor) -> BootImages:
    """An image with its kernel and ramdisk, fit for `flavor`. Raises `Invalid`."""
    image = await _image(caller, compute, image_id)
    _check_fit(image, flavor)
    kernel_id, ramdisk_id = image.properties.get("kernel_id"), image.properties.get("ramdisk_id")
    return BootImages(
        id=image.id,
        properties=kept(image),
        disk=_content(image),
        kernel=_content(await _image(caller, compute, kernel_id)) if kernel_id else None,
        ramdisk=_content(await _image(caller, compute, ramdisk_id)) if ramdisk_id else None,
    )


def _image_id(wish: ServerCreate, mapped: str | None) -> str:
    """The id of the image to boot from: the one given, which block device mappings may repeat."""
    given = str(wish.image_ref) if wish.image_ref else None
    if mapped is not None and given is not None and mapped != given:
        raise OtherImage(mapped=mapped, given=given)
    chosen = given or mapped
    if chosen is None:
        raise NoImage
    return chosen


async def _image(caller: Caller, compute: Compute, image_id: str) -> Image:
    try:
        image = await compute.images.image_get(caller, image_id)
    except NotFound as error:
        raise Invalid(reason=f"Can not find requested image {image_id[:100]}") from error
    if image.status != "active":
        raise ImageNotActive(id=image.id)
    return image


def _check_fit(image: Image, flavor: Flavor) -> None:
    """Whether the flavor is large enough; one without a disk takes the size of the image."""
    if flavor.memory_mb < image.min_ram:
        raise MemoryTooSmall
    disk = flavor.disk_gb * _GIB
    if disk and (image.size or 0) > disk:
        raise DiskSmallerThanImage(disk=disk, size=image.size)
    if disk and image.min_disk * _GIB > disk:
        raise DiskSmallerThanMinimum(disk=disk, size=image.min_disk * _GIB)


def _content(image: Image) -> GuestImage:
    if image.sha512 is None:
        raise ImageWithoutHash(id=image.id)
    return GuestImage(id=image.id, disk_format=image.disk_format or "raw", size=image.size or 0, sha512=image.sha512)


def kept(image: Image) -> dict[str, str]:
    """The properties of an image that a server made from it keeps."""
    made_of = {
        "base_image_ref": image.id,
        "container_format": image.container_format or "bare",
        "disk_format": image.disk_format or "raw",
        "min_disk": str(image.min_disk),
        "min_ram": str(image.min_ram),
    }
    return {**image.properties, **made_of}
