"""2.42: Network cards and disks may be tagged when a server is created, again."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, Doc
from kilonova.objects.history.items import refuse_in, rename_in


def _only_tags_set_aside(doc: Doc) -> None:
    for key in ("networks", "block_device_mapping_v2"):
        refuse_in(doc, key, "tag")
        rename_in(doc, key, "tag of 2.32", "tag")


def _schema_without_tags(schema: Schema) -> None:
    for key in ("networks", "block_device_mapping_v2"):
        schemas.drop(schema, key, "tag")


CHANGES: tuple[Change, ...] = (
    Change(
        name="device-tags-again",
        shape="server_create",
        why="Networks and block devices of a new server may carry a tag again.",
        up=_only_tags_set_aside,
        schema_down=_schema_without_tags,
    ),
)
