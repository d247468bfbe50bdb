"""2.69: While a cell is down, its servers are listed with what is known of them."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="server-down-cells",
        shape="server",
        why="Servers of cells that do not answer are shown as UNKNOWN instead of being left out.",
        effect=True,
    ),
)
