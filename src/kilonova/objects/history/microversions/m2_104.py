"""2.104: A server can be pinned to its availability zone, and unpinned."""

from kilonova.kernel.versions import Change, accepted

CHANGES: tuple[Change, ...] = (
    accepted(
        "server_update",
        "pinned_availability_zone",
        name="server-update-pinned-zone",
        why="A server can be unpinned from its availability zone, and pinned to the present one.",
    ),
)
