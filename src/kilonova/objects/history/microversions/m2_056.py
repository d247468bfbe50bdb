"""2.56: An administrator may name the host that a server is migrated to."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="migrate-host",
        shape="migrate",
        why="Administrators may name the host, which still has to pass the filters; before, what stood there was not read.",
        effect=True,
    ),
)
