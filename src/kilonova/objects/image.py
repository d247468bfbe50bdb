"""An image as the compute service needs it."""

import msgspec

from kilonova.kernel.ids import ProjectId


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """What the image service tells of one image (Image API v2, "Show image")."""

    id: str
    name: str | None
    status: str
    """`active` when its content is there; see the Image API for the others."""
    visibility: str
    """`public`, `private`, `shared`, `community`."""
    owner: ProjectId | None
    disk_format: str | None
    container_format: str | None
    size: int | None
    """Bytes of the content."""
    sha512: str | None
    """Hex digest of the content (`os_hash_value` with `os_hash_algo` sha512)."""
    min_disk: int
    """GB."""
    min_ram: int
    """MB."""
    created_at: str
    updated_at: str
    """ISO 8601, as the image service wrote it."""
    protected: bool = False
    tags: tuple[str, ...] = ()
    properties: dict[str, str] = {}
    """Additional properties, e.g. `kernel_id`, `hw_disk_bus`, `os_command_line`."""


class NewImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image to be declared; its content comes later. It is private to its owner."""

    id: str
    """Chosen by us, so that a repeated request makes no second one."""
    name: str
    owner: ProjectId
    disk_format: str
    container_format: str = "bare"
    min_disk: int = 0
    """GB."""
    min_ram: int = 0
    """MB."""
    properties: dict[str, str] = {}
