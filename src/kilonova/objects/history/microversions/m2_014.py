"""2.14: Evacuating a server doesn't say where its disks are, and tells no password."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, refused


def _schema_told_storage(schema: Schema) -> None:
    schemas.demand(schema, "onSharedStorage")


CHANGES: tuple[Change, ...] = (
    refused(
        "evacuate",
        "onSharedStorage",
        name="evacuate-storage-found-out",
        why="Whether disks are on shared storage had to be said, and is found out now; no password is told.",
        effect=True,
        schema_down=_schema_told_storage,
    ),
)
