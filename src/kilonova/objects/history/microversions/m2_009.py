"""2.9: Servers show whether they are locked."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added("server", "locked", name="server-locked", why="Servers show whether they are locked."),
)
