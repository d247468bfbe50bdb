"""2.54: A server may be rebuilt with another key, or without one."""

from kilonova.kernel.versions import Change, accepted

CHANGES: tuple[Change, ...] = (
    accepted(
        "server_rebuild",
        "key_name",
        name="server-rebuild-key",
        why="The key of a server can be changed or taken away by a rebuild, whose answer shows it.",
        effect=True,
    ),
)
