"""2.92: Key pairs are imported only, and their names may hold @ and dots."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change


def _schema_generated(schema: Schema) -> None:
    schemas.relax(schema, "public_key")
    schemas.swap(schema, {"type": ["string", "null"]}, "public_key")
    schemas.swap(schema, {"type": "string", "minLength": 1, "maxLength": 255, "pattern": SAFE}, "name")


SAFE = "^[a-zA-Z0-9_-]([a-zA-Z0-9_ -]*[a-zA-Z0-9_-])?$"
"""Names without @ and dots."""

CHANGES: tuple[Change, ...] = (
    Change(
        name="keypair-import-only",
        shape="keypair_create",
        why="Key pairs are no longer generated: public_key is required, and names may hold @ and dots.",
        effect=True,
        schema_down=_schema_generated,
    ),
)
