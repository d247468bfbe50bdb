"""2.77: A server that was shelved and offloaded may be unshelved in another zone."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="unshelve-to-zone",
        shape="unshelve",
        why="Unshelving takes an availability zone; before, nobody looked at what stood under it.",
        effect=True,
    ),
)
