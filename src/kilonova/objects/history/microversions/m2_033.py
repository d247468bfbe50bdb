"""2.33: Hypervisors are listed in pages."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, Doc, ignored_before
from kilonova.objects.history.items import DEVICE_TAG, rename_in


def _set_aside_block_device_tags(doc: Doc) -> None:
    """What 2.32 took is kept from the refusal that 2.42 ends."""
    rename_in(doc, "block_device_mapping_v2", "tag", "tag of 2.32")


def _schema_with_tags(schema: Schema) -> None:
    for device in schemas.objects(schema, "block_device_mapping_v2"):
        schemas.put(device, "tag", dict(DEVICE_TAG))


CHANGES: tuple[Change, ...] = (
    ignored_before(
        "hypervisor_list_query",
        "limit",
        "marker",
        name="hypervisor-paging",
        why="Hypervisors are listed in pages, with limit and marker, and lists link to the next page.",
        effect=True,
    ),
    Change(
        name="block-device-tags-lost",
        shape="server_create",
        why="Block devices of a new server may not carry a tag, until 2.42.",
        up=_set_aside_block_device_tags,
        schema_down=_schema_with_tags,
    ),
)
