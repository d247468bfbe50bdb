"""2.14: Evacuating a server doesn't say where its disks are, and tells no password."""

from kilonova.kernel.versions import Change, refused

CHANGES: tuple[Change, ...] = (
    refused(
        "evacuate",
        "onSharedStorage",
        name="evacuate-storage-found-out",
        why="Whether disks are on shared storage had to be said, and is found out now; no password is told.",
        effect=True,
    ),
)
