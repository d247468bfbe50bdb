"""2.87: Servers that boot from a volume can be rescued."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="rescue-from-volume",
        shape="server_rescue",
        why="A server that boots from a volume can be rescued.",
        effect=True,
    ),
)
