"""The volume service's double: volumes that outlive every process, statuses as Cinder's, answers that get lost.

`VolumeService` is the service; `DirectVolumes` reaches it at once, `SimVolumes` over the simulated network.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from typing_extensions import override

from kilonova.kernel.errors import Conflict, NotFound, Unavailable
from kilonova.kernel.ids import ProjectId
from kilonova.objects.caller import Caller
from kilonova.objects.volume import Attachment, StoredVolume
from kilonova.simulation.faults import Faults
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.network import hop
from kilonova.simulation.process import Process

T = TypeVar("T")

SOME = tuple(f"55555555-0000-4000-8000-{number:012}" for number in range(1, 5))
"""Volumes that a simulated cloud has from the beginning."""
_OF_VOLUME = {"reserved": "reserved", "attaching": "attaching", "attached": "in-use"}
"""What an attachment's status makes of its volume's, the weakest first. After an end the strongest counts."""


class VolumeService:
    """The service itself, with its volumes and their attachments."""

    def __init__(self, new_id: Callable[[], str], directory: str = "/volumes") -> None:
        """Start with no volume. `directory` is where the connections say that their disks are."""
        self.volumes: dict[str, StoredVolume] = {}
        self.attachments: dict[str, Attachment] = {}
        self._new_id = new_id
        self._directory = directory

    def make(self, project_id: ProjectId, *, size_gb: int = 1, **fields: Any) -> StoredVolume:
        """A new volume."""
        known = {"id": self._new_id(), "name": "data", "status": "available", **fields}
        volume = StoredVolume(project_id=project_id, size_gb=size_gb, **known)
        self.volumes[volume.id] = volume
        return volume

    def get(self, volume_id: str) -> StoredVolume:
        """One volume. Raises `NotFound`."""
        if volume_id not in self.volumes:
            raise NotFound(kind="Volume", id=volume_id)
        return self.volumes[volume_id]

    def of(self, server_id: str) -> list[Attachment]:
        """See `Volumes.attachments_of`."""
        return sorted((one for one in self.attachments.values() if one.server_id == server_id), key=lambda one: one.id)

    def reserve(self, volume_id: str, server_id: str) -> Attachment:
        """A new attachment. A server that has a volume may have it once more, except while it is `attaching`."""
        volume = self.get(volume_id)
        there = [one for one in self.attachments.values() if one.volume_id == volume_id]
        own = volume.status in {"reserved", "in-use"} and all(one.server_id == server_id for one in there)
        if not (volume.attachable or own):
            raise Conflict(reason=f"Volume {volume_id} is {volume.status}: it can't be reserved.")
        made = Attachment(id=self._new_id(), volume_id=volume_id, server_id=server_id, status="reserved")
        if own:
            self.attachments[made.id] = made
            return made
        return self._put(made)

    def create(self, volume_id: str, server_id: str, connector: Mapping[str, Any] | None) -> Attachment:
        """See `Volumes.attachment_create`."""
        made = self.reserve(volume_id, server_id)
        return made if connector is None else self._connected(made, connector)

    def connect(self, attachment_id: str, connector: Mapping[str, Any]) -> Attachment:
        """See `Volumes.attachment_connect`."""
        known = self._known(attachment_id)
        others = [one for one in self.attachments.values() if one.volume_id == known.volume_id and one is not known]
        if any(one.connection for one in others):
            raise Conflict(reason=f"Volume {known.volume_id} is connected already.")
        return self._connected(known, connector)

    def _connected(self, known: Attachment, connector: Mapping[str, Any]) -> Attachment:
        path = f"{self._directory}/{known.volume_id}.raw"
        data = {"path": path, "format": "raw", "host": connector["host"]}
        connection = {"driver_volume_type": "local", "data": data}
        return self._put(msgspec.structs.replace(known, status="attaching", connection=connection))

    def complete(self, attachment_id: str) -> None:
        """See `Volumes.attachment_complete`."""
        known = self._known(attachment_id)
        if not known.connection:
            raise Conflict(reason=f"Attachment {attachment_id} was never connected.")
        self._put(msgspec.structs.replace(known, status="attached"))

    def release(self, attachment_id: str) -> None:
        """See `Volumes.attachment_delete`."""
        known = self.attachments.pop(attachment_id, None)
        if known is not None:
            left = [_OF_VOLUME[one.status] for one in self.attachments.values() if one.volume_id == known.volume_id]
            self._set(known.volume_id, max(left, key=list(_OF_VOLUME.values()).index, default="available"))

    def remove(self, volume_id: str) -> None:
        """See `Volumes.volume_delete`."""
        if volume_id in self.volumes and self.volumes[volume_id].status != "available":
            raise Conflict(reason=f"Volume {volume_id} is {self.volumes[volume_id].status}: it can't be deleted.")
        self.volumes.pop(volume_id, None)

    def forget(self, volume_id: str) -> None:
        """A volume that is gone with its attachments, behind everybody's back."""
        self.volumes.pop(volume_id, None)
        self.attachments = {id_: one for id_, one in self.attachments.items() if one.volume_id != volume_id}

    def _known(self, attachment_id: str) -> Attachment:
        if attachment_id not in self.attachments:
            raise NotFound(kind="Volume attachment", id=attachment_id)
        return self.attachments[attachment_id]

    def _put(self, attachment: Attachment) -> Attachment:
        self.attachments[attachment.id] = attachment
        self._set(attachment.volume_id, _OF_VOLUME[attachment.status])
        return attachment

    def _set(self, volume_id: str, status: str) -> None:
        if volume_id in self.volumes:
            self.volumes[volume_id] = msgspec.structs.replace(self.volumes[volume_id], status=status)


def simulated(loop: SimLoop) -> VolumeService:
    """The service of a simulated cloud, with some volumes."""
    ids = loop.stream("ids/volume service")
    service = VolumeService(lambda: f"44444444-0000-4000-8000-{ids.getrandbits(48):012x}")
    for volume_id in SOME:
        service.make(ProjectId("services"), id=volume_id)
    return service


class DirectVolumes:
    """Implements `Volumes` on the double, at once and without faults."""

    def __init__(self, service: VolumeService) -> None:
        """Reach `service`."""
        self._service = service

    async def volume_get(self, caller: Caller, volume_id: str) -> StoredVolume:
        """See `Volumes.volume_get`."""

        def found() -> StoredVolume:
            volume = self._service.get(volume_id)
            if volume.project_id != caller.project_id and "admin" not in caller.roles:
                raise NotFound(kind="Volume", id=volume_id)
            return volume

        return await self._ask(found)

    async def attachments_of(self, server_id: str) -> Sequence[Attachment]:
        """See `Volumes.attachments_of`."""
        return await self._ask(lambda: self._service.of(server_id))

    async def attachment_create(
        self, volume_id: str, server_id: str, connector: Mapping[str, Any] | None = None
    ) -> Attachment:
        """See `Volumes.attachment_create`."""
        return await self._ask(lambda: self._service.create(volume_id, server_id, connector), refusable=True)

    async def attachment_connect(self, attachment_id: str, connector: Mapping[str, Any]) -> Attachment:
        """See `Volumes.attachment_connect`."""
        return await self._ask(lambda: self._service.connect(attachment_id, connector), refusable=True)

    async def attachment_complete(self, attachment_id: str) -> None:
        """See `Volumes.attachment_complete`."""
        await self._ask(lambda: self._service.complete(attachment_id))

    async def attachment_delete(self, attachment_id: str) -> None:
        """See `Volumes.attachment_delete`."""
        await self._ask(lambda: self._service.release(attachment_id))

    async def volume_delete(self, volume_id: str) -> None:
        """See `Volumes.volume_delete`."""
        await self._ask(lambda: self._service.remove(volume_id))

    async def close(self) -> None:
        """See `Volumes.close`."""

    async def _ask(self, work: Callable[[], T], *, refusable: bool = False) -> T:
        """Carry a call there and its answer back; a `refusable` one the service may refuse."""
        return work()


class SimVolumes(DirectVolumes):
    """Implements `Volumes` for one process of a simulated cloud."""

    def __init__(self, loop: SimLoop, service: VolumeService, process: Process, faults: Faults) -> None:
        """Connect `process` to `service`."""
        super().__init__(service)
        self._faults = faults
        self._stream = loop.stream(f"volumes/{process.name}/{process.incarnation}")

    @override
    async def _ask(self, work: Callable[[], T], *, refusable: bool = False) -> T:
        """Lose either way, or let the service refuse."""
        faults, stream = self._faults, self._stream
        await hop(stream, slow=faults.strikes("call_slow"))
        if faults.strikes("call_refused"):
            raise Unavailable(service="the volume service", reason="connection refused")
        if refusable and faults.strikes("service_refuses"):
            raise Conflict(reason="The simulated volume service refuses.")
        answer = work()
        await hop(stream, slow=faults.strikes("call_slow"))
        if faults.strikes("call_answer_lost"):
            raise Unavailable(service="the volume service", reason="connection lost")
        return answer
