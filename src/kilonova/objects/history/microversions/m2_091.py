"""2.91: Administrators may unshelve a server onto a host of their choice, and anybody may take its zone off it."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, accepted


def _schema_zone_needed(schema: Schema) -> None:
    schemas.swap(schema, {"type": "string", "minLength": 1, "maxLength": 255}, "availability_zone")
    schemas.demand(schema, "availability_zone")


CHANGES: tuple[Change, ...] = (
    accepted(
        "unshelve",
        "host",
        name="unshelve-to-host",
        why="Unshelving takes a host, and null as a zone unpins the server; the zone may be left out.",
        effect=True,
        schema_down=_schema_zone_needed,
    ),
)
