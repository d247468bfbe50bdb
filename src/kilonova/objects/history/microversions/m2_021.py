"""2.21: Instance actions are shown for deleted servers too."""

from kilonova.kernel.versions import Change

CHANGES: tuple[Change, ...] = (
    Change(
        name="instance-actions-of-deleted",
        shape="instance_action",
        why="The actions of deleted servers can be read.",
        effect=True,
    ),
)
