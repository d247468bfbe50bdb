"""2.37: Creating a server says which networks it wants, or auto, or none."""

from kilonova.kernel import schemas
from kilonova.kernel.errors import Invalid
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, Doc
from kilonova.objects.history.items import DEVICE_TAG, rename_in


class WordsUnknown(Invalid):
    """Invalid input for field/attribute networks. Value: {word}. It is not of type 'array'"""

    code = "networks-not-a-list"


def _networks_by_default(doc: Doc) -> None:
    """No networks stood for the service's choice, as an empty list still does."""
    networks = doc.setdefault("networks", [])
    if isinstance(networks, str):
        raise WordsUnknown(word=networks)
    rename_in(doc, "networks", "tag", "tag of 2.32")


def _schema_by_default(schema: Schema) -> None:
    for one in schemas.objects(schema):
        one["properties"]["networks"] = next(kind for kind in one["properties"]["networks"]["anyOf"] if "items" in kind)
        for network in schemas.objects(one, "networks"):
            schemas.put(network, "tag", dict(DEVICE_TAG))
    schemas.relax(schema, "networks")


CHANGES: tuple[Change, ...] = (
    Change(
        name="server-networks-required",
        shape="server_create",
        why="Creating a server says which networks it wants, or auto, or none; networks may not carry a tag, until 2.42.",
        up=_networks_by_default,
        schema_down=_schema_by_default,
    ),
)
