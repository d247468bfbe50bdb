"""2.80: Migrations show whose they are, and can be asked for by that."""

from kilonova.kernel.versions import Change, added, ignored_before

CHANGES: tuple[Change, ...] = (
    added("migration", "user_id", "project_id", name="migration-owner", why="A migration shows its user and project."),
    added(
        "server_migration",
        "user_id",
        "project_id",
        name="server-migration-owner",
        why="A live migration under way shows its user and project.",
    ),
    ignored_before(
        "migration_query",
        "user_id",
        "project_id",
        name="migration-list-by-owner",
        why="Migrations can be asked for by user and project.",
    ),
)
