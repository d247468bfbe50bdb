"""2.26: Servers have tags."""

from kilonova.kernel.versions import Change, added, ignored_before

CHANGES: tuple[Change, ...] = (
    added("server", "tags", name="server-tags", why="Servers have tags."),
    ignored_before(
        "server_query",
        "tags",
        "tags-any",
        "not-tags",
        "not-tags-any",
        name="server-list-tags",
        why="The server list can be filtered by tags.",
    ),
)
