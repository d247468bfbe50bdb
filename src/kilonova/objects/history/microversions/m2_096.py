"""2.96: Servers show the availability zone that they are pinned to."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added(
        "server",
        "pinned_availability_zone",
        name="server-pinned-zone",
        why="Servers show the availability zone they are pinned to.",
    ),
)
