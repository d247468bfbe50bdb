"""2.83: Anybody may filter the server list by more of what a server is."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="server-list-filters-for-all",
        shape="server_query",
        why="Everybody may filter the server list by zone, key, states, times, progress, user and config drive.",
        effect=True,
    ),
)
