"""2.71: A server shows its server group."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added(
        "server",
        "server_groups",
        name="server-groups-shown",
        why="A server shows the groups it is a member of.",
        effect=True,
    ),
)
