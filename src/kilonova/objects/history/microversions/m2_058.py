"""2.58: Instance actions are listed in pages, can be filtered by time, and show when they changed."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added(
        "instance_action", "updated_at", name="instance-action-updated-at", why="Actions show when they last changed."
    ),
    Change(
        name="instance-action-paging",
        shape="instance_action_query",
        why="The list of actions takes limit, marker and changes-since, and refuses other parameters.",
        effect=True,
    ),
)
