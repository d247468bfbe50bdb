"""What Kilonova asks of the volume service."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kilonova.kernel.errors import NotFound, NotImplementedHere
from kilonova.objects.caller import Caller
from kilonova.objects.volume import Attachment, StoredVolume


class NoBlockStorage(NotImplementedHere):
    """This cloud has no block storage: servers boot from images and have no volumes."""

    code = "no-block-storage"


class Volumes(Protocol):
    """Volumes and attachments. A call with a `caller` sees what the caller may see; the others act in the service's own name.

    An attachment is found again by its server: that is its tag. All calls raise `Unavailable`.
    """

    async def volume_get(self, caller: Caller, volume_id: str) -> StoredVolume:
        """One volume. Raises `NotFound`, and `NoBlockStorage` where there is none at all."""

    async def attachments_of(self, server_id: str) -> Sequence[Attachment]:
        """Every attachment of a server, ordered by id: how a lost answer is found again."""

    async def attachment_create(
        self, volume_id: str, server_id: str, connector: Mapping[str, Any] | None = None
    ) -> Attachment:
        """Reserve a volume for a server, and make it reachable for the host that `connector` describes, if one is given.

        One server may have several attachments of one volume, each for another host: while it moves. A lost answer may leave
        one behind: look among `attachments_of`. Raises `NotFound`, and `Conflict` when another server has the volume or its
        status forbids it.
        """

    async def attachment_connect(self, attachment_id: str, connector: Mapping[str, Any]) -> Attachment:
        """Make the volume reachable for the host that `connector` describes; the answer has the connection.

        Raises `NotFound`, and `Conflict` when another attachment of the volume is connected: a second one is made with its
        connector (Block Storage API v3, "Create attachment").
        """

    async def attachment_complete(self, attachment_id: str) -> None:
        """The server uses it: the volume is `in-use`. Raises `NotFound`, and `Conflict` for one that was never connected."""

    async def attachment_delete(self, attachment_id: str) -> None:
        """End an attachment; a volume without any is `available`. One that is gone is fine."""

    async def volume_delete(self, volume_id: str) -> None:
        """Delete a volume. Raises `Conflict` for one that is attached or kept by something. One that is gone is fine."""

    async def close(self) -> None:
        """Let go of connections."""


class NoVolumes:
    """Implements `Volumes` for a cloud without block storage."""

    async def volume_get(self, caller: Caller, volume_id: str) -> StoredVolume:
        """See `Volumes.volume_get`."""
        raise NoBlockStorage

    async def attachments_of(self, server_id: str) -> Sequence[Attachment]:
        """None."""
        return ()

    async def attachment_create(
        self, volume_id: str, server_id: str, connector: Mapping[str, Any] | None = None
    ) -> Attachment:
        """See `Volumes.attachment_create`."""
        raise NoBlockStorage

    async def attachment_connect(self, attachment_id: str, connector: Mapping[str, Any]) -> Attachment:
        """See `Volumes.attachment_connect`."""
        raise NotFound(kind="Volume attachment", id=attachment_id)

    async def attachment_complete(self, attachment_id: str) -> None:
        """See `Volumes.attachment_complete`."""
        raise NotFound(kind="Volume attachment", id=attachment_id)

    async def attachment_delete(self, attachment_id: str) -> None:
        """None is there."""

    async def volume_delete(self, volume_id: str) -> None:
        """None is there."""

    async def close(self) -> None:
        """Nothing is open."""
