"""2.67: Disks made for a server may have a volume type."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, Doc
from kilonova.objects.history.items import refuse_in


def _no_volume_type(doc: Doc) -> None:
    refuse_in(doc, "block_device_mapping_v2", "volume_type")


def _schema_without_type(schema: Schema) -> None:
    schemas.drop(schema, "block_device_mapping_v2", "volume_type")


CHANGES: tuple[Change, ...] = (
    Change(
        name="server-create-volume-type",
        shape="server_create",
        why="Volumes made for a new server may have a type.",
        up=_no_volume_type,
        schema_down=_schema_without_type,
    ),
)
