"""2.51: An instance action always shows its events."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="instance-action-events-for-all",
        shape="instance_action",
        why="Everybody who may see an action sees its events; tracebacks stay with administrators.",
        effect=True,
    ),
)
