"""2.38: An unknown status in the filter of a server list is refused for everybody."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="server-list-status-strict",
        shape="server_query",
        why="A status that no server can have is refused in the server list, instead of answered with no servers.",
        effect=True,
    ),
)
