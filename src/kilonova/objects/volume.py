"""Volumes and their attachments as the compute service needs them (Block Storage API v3)."""

from typing import Any

import msgspec

from kilonova.kernel.ids import ProjectId


class StoredVolume(msgspec.Struct, frozen=True, kw_only=True):
    """One volume, as the volume service describes it."""

    id: str
    name: str
    project_id: ProjectId
    size_gb: int
    status: str
    """`available`, `reserved`, `attaching`, `in-use`, `detaching`, `error`, ..."""
    bootable: bool = False
    image_id: str | None = None
    """The image that it was made from, if it was."""

    @property
    def attachable(self) -> bool:
        """Whether a server may be given it now, as far as its status says: one server at a time."""
        return self.status == "available"


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """One volume promised to one server, and perhaps connected to its host."""

    id: str
    volume_id: str
    server_id: str
    status: str
    """`reserved`, `attaching`, `attached`."""
    connection: dict[str, Any] = {}
    """How its host reaches the volume, once it is connected: `driver_volume_type` and `data`."""
