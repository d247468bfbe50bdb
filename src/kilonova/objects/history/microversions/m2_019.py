"""2.19: Servers have a description."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, Doc, UnknownField, accepted, added


def _described_by_name(doc: Doc) -> None:
    if "description" in doc:
        raise UnknownField(field="description")
    doc["description"] = doc.get("name")


def _schema_undescribed(schema: Schema) -> None:
    schemas.drop(schema, "description")


CHANGES: tuple[Change, ...] = (
    added("server", "description", name="server-description", why="Servers show their description."),
    Change(
        name="server-create-description",
        shape="server_create",
        why="A server may be created with a description; one without has none, where it was the name before.",
        up=_described_by_name,
        schema_down=_schema_undescribed,
    ),
    accepted(
        "server_update",
        "description",
        name="server-update-description",
        why="The description of a server can be changed.",
    ),
    accepted(
        "server_rebuild",
        "description",
        name="server-rebuild-description",
        why="The description of a server can be changed by a rebuild.",
    ),
)
