"""2.5: Anybody may filter the server list by IPv6 address."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="server-list-ip6",
        shape="server_query",
        why="Everybody may filter the server list by ip6, not only administrators.",
        effect=True,
    ),
)
