"""2.62: Events of instance actions show where they happened."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added(
        "instance_action_event",
        "hostId",
        "host",
        name="instance-action-event-host",
        why="Events of actions show hostId, and administrators the host.",
    ),
)
