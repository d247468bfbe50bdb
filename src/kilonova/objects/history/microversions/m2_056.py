"""2.56: An administrator may name the host that a server is migrated to."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change


def _schema_unread(schema: Schema) -> None:
    schemas.become(schema, {})


CHANGES: tuple[Change, ...] = (
    Change(
        name="migrate-host",
        shape="migrate",
        why="Administrators may name the host, which still has to pass the filters; before, what stood there was not read.",
        effect=True,
        schema_down=_schema_unread,
    ),
)
