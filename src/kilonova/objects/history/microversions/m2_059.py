"""2.59: Migrations have UUIDs, and their list has pages."""

from kilonova.kernel.versions import Change, added, ignored_before

CHANGES: tuple[Change, ...] = (
    added("migration", "uuid", name="migration-uuid", why="A migration has a UUID."),
    added("server_migration", "uuid", name="server-migration-uuid", why="A live migration under way has a UUID."),
    ignored_before(
        "migration_query",
        "changes-since",
        "limit",
        "marker",
        name="migration-paging",
        why="The list of migrations has pages, can be filtered by the time of the last change, and refuses unknown parameters.",
        effect=True,
    ),
)
