"""2.23: Migrations say of which kind they are; a live one under way has links."""

from kilonova.kernel.versions import Change, added

CHANGES: tuple[Change, ...] = (
    added(
        "migration",
        "migration_type",
        "links",
        name="migration-type",
        why="A migration says of which kind it is, and where a live one under way is shown.",
    ),
)
