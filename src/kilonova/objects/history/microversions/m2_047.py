"""2.47: Servers show the details of their flavor instead of a link to it."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change


def _schema_flavor_by_reference(schema: Schema) -> None:
    link = {"type": "object", "properties": {"rel": {"type": "string"}, "href": {"type": "string"}}}
    by_reference = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "links": {"type": "array", "items": link}},
        "required": ["id", "links"],
        "additionalProperties": False,
    }
    schemas.swap(schema, by_reference, "flavor")


CHANGES: tuple[Change, ...] = (
    Change(
        name="server-flavor-embedded",
        shape="server",
        why="Servers show what their flavor was when they were made, instead of its id and link.",
        effect=True,
        schema_down=_schema_flavor_by_reference,
    ),
)
