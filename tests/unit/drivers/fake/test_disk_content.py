"""What a snapshot of a fake guest holds: an image that the image service takes."""

import asyncio

import pytest

from kilonova.drivers.fake.disk_content import disk_content
from kilonova.drivers.fake.guest import Disk, FakeGuest
from kilonova.kernel.ids import HostName
from kilonova.standalone.image.inspection import Inspection
from kilonova.testing.guests import guest_spec

GUEST = FakeGuest(host=HostName("fake-00001"), generation=3, spec=guest_spec(None), disk=Disk(2, 5))


@pytest.mark.parametrize(("disk_format", "size"), [("raw", 512), ("qcow2", 5 * 1024**3)])
def test_content__either_format__passes_inspection_and_says_which_disk_it_is(disk_format: str, size: int) -> None:
    async def scenario() -> None:
        pieces = [piece async for piece in disk_content(GUEST, disk_format)]
        inspection = Inspection(disk_format)
        for piece in pieces:
            inspection.eat(piece)
        assert inspection.virtual_size() == size
        assert b"as it was made for generation 2\n" in b"".join(pieces)

    asyncio.run(scenario())
