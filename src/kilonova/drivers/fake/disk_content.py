"""The content of a snapshot of a guest that runs nothing: a disk of one sentence, in the format asked for."""

import struct
from collections.abc import AsyncIterator

from kilonova.drivers.fake.guest import FakeGuest

SECTOR = 512
_CLUSTER_BITS = 16
_CLUSTER = 1 << _CLUSTER_BITS


async def disk_content(guest: FakeGuest, disk_format: str) -> AsyncIterator[bytes]:
    """The content in pieces: `qcow2` or `raw`."""
    said = f"[fake] the disk of {guest.server_id} as it was made for generation {guest.disk.content}\n".encode()
    if disk_format != "qcow2":
        yield said.ljust(SECTOR, b"\0")
        return
    for cluster in _qcow2_clusters(max(1, guest.disk.gb) * 1024**3, said):
        yield cluster.ljust(_CLUSTER, b"\0")


def _qcow2_clusters(size: int, said: bytes) -> tuple[bytes, ...]:
    """The clusters of an image that maps nothing (QEMU, docs/interop/qcow2.txt, version 3); the first has room for `said`."""
    l1_entries = -(-size // (_CLUSTER * _CLUSTER // 8))
    header = struct.pack(
        ">4sIQIIQIIQQIIQQQQII",
        *(b"QFI\xfb", 3),
        *(0, 0, _CLUSTER_BITS, size, 0),  # no backing file, not encrypted
        *(l1_entries, _CLUSTER, 2 * _CLUSTER, 1),
        *(0, 0),  # no snapshots
        *(0, 0, 0),  # no features
        *(4, 104),
    )
    counted = 4  # this header, the L1 table, the table of counts, its one block
    counts = struct.pack(">H", 1) * counted
    return header.ljust(SECTOR, b"\0") + said, b"", struct.pack(">Q", 3 * _CLUSTER), counts
