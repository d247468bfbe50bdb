"""2.94: The hostname of a server may be a fully qualified domain name."""

from kilonova.kernel import schemas
from kilonova.kernel.errors import Invalid
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, Doc

LABEL = "^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$"
"""A hostname without dots."""


class HostnameQualified(Invalid):
    """Invalid input for field/attribute hostname. Value: {hostname}. Dots are allowed from microversion 2.94 on"""

    code = "hostname-qualified"


def _no_dots(doc: Doc) -> None:
    hostname = doc.get("hostname")
    if isinstance(hostname, str) and "." in hostname:
        raise HostnameQualified(hostname=hostname)


def _schema_without_dots(schema: Schema) -> None:
    schemas.swap(schema, {"type": "string", "pattern": LABEL}, "hostname")


CHANGES: tuple[Change, ...] = (
    Change(
        name="server-create-hostname-qualified",
        shape="server_create",
        why="The hostname of a new server may be fully qualified.",
        up=_no_dots,
        schema_down=_schema_without_dots,
    ),
    Change(
        name="server-update-hostname-qualified",
        shape="server_update",
        why="The hostname of a server may be changed to a fully qualified one.",
        up=_no_dots,
        schema_down=_schema_without_dots,
    ),
    Change(
        name="server-rebuild-hostname-qualified",
        shape="server_rebuild",
        why="The hostname of a server may become a fully qualified one by a rebuild.",
        up=_no_dots,
        schema_down=_schema_without_dots,
    ),
)
