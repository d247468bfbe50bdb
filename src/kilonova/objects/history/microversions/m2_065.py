"""2.65: A live migration may be aborted while it is being prepared."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="migration-abort-early",
        shape="server_migration",
        why="A live migration may be aborted before it runs.",
        effect=True,
    ),
)
