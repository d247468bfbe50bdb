"""2.84: Failed events of instance actions show details."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added(
        "instance_action_event",
        "details",
        name="instance-action-event-details",
        why="Events of actions that failed show why.",
    ),
)
