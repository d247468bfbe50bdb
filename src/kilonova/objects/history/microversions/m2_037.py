"""2.37: Creating a server says which networks it wants, or auto, or none."""

from kilonova.kernel.errors import Invalid
from kilonova.kernel.versions import Change, Doc
from kilonova.objects.history.items import rename_in


class WordsUnknown(Invalid):
    """Invalid input for field/attribute networks. Value: {word}. It is not of type 'array'"""

    code = "networks-not-a-list"


def _networks_by_default(doc: Doc) -> None:
    """No networks stood for the service's choice, as an empty list still does."""
    networks = doc.setdefault("networks", [])
    if isinstance(networks, str):
        raise WordsUnknown(word=networks)
    rename_in(doc, "networks", "tag", "tag of 2.32")


CHANGES: tuple[Change, ...] = (
    Change(
        name="server-networks-required",
        shape="server_create",
        why="Creating a server says which networks it wants, or auto, or none; networks may not carry a tag, until 2.42.",
        up=_networks_by_default,
    ),
)
