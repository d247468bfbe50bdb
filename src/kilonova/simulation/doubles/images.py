"""The image service's double: one small image."""

import hashlib
from collections.abc import AsyncIterator

from kilonova.kernel.errors import NotFound, Unavailable
from kilonova.objects.caller import Caller
from kilonova.objects.guest import GuestImage
from kilonova.objects.image import Image
from kilonova.simulation.faults import Faults
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.network import hop
from kilonova.simulation.process import Process

CONTENT = b"a disk, in a manner of speaking"
IMAGE = GuestImage(
    id="44444444-0000-4000-8000-000000000001",
    disk_format="raw",
    size=len(CONTENT),
    sha512=hashlib.sha512(CONTENT).hexdigest(),
)


class SimImages:
    """Implements `Images` for one process."""

    def __init__(self, loop: SimLoop, process: Process, faults: Faults) -> None:
        """Serve `process`."""
        self._faults = faults
        self._stream = loop.stream(f"images/{process.name}/{process.incarnation}")

    async def image_get(self, caller: Caller, image_id: str) -> Image:
        """See `Images.image_get`."""
        await self._reach(image_id)
        return Image(
            id=IMAGE.id,
            name="simulated",
            status="active",
            visibility="public",
            owner=None,
            disk_format=IMAGE.disk_format,
            container_format="bare",
            size=IMAGE.size,
            sha512=IMAGE.sha512,
            min_disk=0,
            min_ram=0,
            created_at="2026-01-01T00:00:00Z",
            updated_at="2026-01-01T00:00:00Z",
        )

    async def image_content(self, image_id: str) -> AsyncIterator[bytes]:
        """See `Images.image_content`: in two pieces, with time between them."""
        half = len(CONTENT) // 2
        for piece in (CONTENT[:half], CONTENT[half:]):
            await self._reach(image_id)
            yield piece

    async def close(self) -> None:
        """See `Images.close`."""

    async def _reach(self, image_id: str) -> None:
        await hop(self._stream, slow=self._faults.strikes("call_slow"))
        if self._faults.strikes("call_refused"):
            raise Unavailable(service="the image service", reason="connection refused")
        if image_id != IMAGE.id:
            raise NotFound(kind="Image", id=image_id)
