"""2.66: Servers, instance actions and migrations can be filtered by changes before a time."""

from kilonova.kernel.versions import Change, ignored_before

CHANGES: tuple[Change, ...] = (
    ignored_before(
        "server_query",
        "changes-before",
        name="server-list-changes-before",
        why="The server list can be filtered by the time of the last change, from above.",
    ),
    ignored_before(
        "instance_action_query",
        "changes-before",
        name="instance-action-list-changes-before",
        why="The list of actions can be filtered by the time of the last change, from above.",
    ),
    ignored_before(
        "migration_query",
        "changes-before",
        name="migration-list-changes-before",
        why="The list of migrations can be filtered by the time of the last change, from above.",
    ),
)
