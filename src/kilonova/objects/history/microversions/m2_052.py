"""2.52: Servers may be created with tags."""

from kilonova.kernel.versions import Change, accepted

CHANGES: tuple[Change, ...] = (
    accepted("server_create", "tags", name="server-create-tags", why="A server may be created with tags."),
)
