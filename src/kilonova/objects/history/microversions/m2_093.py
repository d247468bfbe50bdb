"""2.93: Servers that boot from a volume can be rebuilt with another image."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="rebuild-root-volume",
        shape="server_rebuild",
        why="A server that boots from a volume can be rebuilt with another image.",
        effect=True,
    ),
)
