"""2.32: Network cards and disks may be tagged when a server is created."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, Doc
from kilonova.objects.history.items import refuse_in


def _no_tags(doc: Doc) -> None:
    refuse_in(doc, "networks", "tag")
    refuse_in(doc, "block_device_mapping_v2", "tag")


def _schema_without_tags(schema: Schema) -> None:
    schemas.drop(schema, "networks", "tag")
    schemas.drop(schema, "block_device_mapping_v2", "tag")


CHANGES: tuple[Change, ...] = (
    Change(
        name="device-tags",
        shape="server_create",
        why="Networks and block devices of a new server may carry a tag that the guest sees.",
        up=_no_tags,
        schema_down=_schema_without_tags,
    ),
)
