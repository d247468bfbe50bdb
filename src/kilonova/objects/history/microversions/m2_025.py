"""2.25: A live migration finds out whether disks have to be copied, and says nothing of overcommitted disks."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, refused


def _schema_all_said(schema: Schema) -> None:
    schemas.demand(schema, "disk_over_commit")


CHANGES: tuple[Change, ...] = (
    refused(
        "migrate_live",
        "disk_over_commit",
        name="migrate-live-auto",
        why="Whether disks have to be copied can be left open; disk_over_commit had to be said, and is gone.",
        effect=True,
        schema_down=_schema_all_said,
    ),
)
