"""2.90: The hostname of a server can be chosen, and everybody sees it."""

from kilonova.kernel.versions import Change, accepted

CHANGES: tuple[Change, ...] = (
    accepted(
        "server_create",
        "hostname",
        name="server-create-hostname",
        why="A server may be created with a hostname of its own.",
    ),
    accepted(
        "server_update", "hostname", name="server-update-hostname", why="The hostname of a server can be changed."
    ),
    Change(
        name="server-hostname-for-all",
        shape="server",
        why="Everybody sees the hostname of a server and may filter by it, not only administrators.",
        effect=True,
    ),
    accepted(
        "server_rebuild",
        "hostname",
        name="server-rebuild-hostname",
        why="The hostname of a server can be changed by a rebuild.",
    ),
)
