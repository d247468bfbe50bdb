"""2.3: Server details show more of what an instance is: reservation, kernel, hostname, user data."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, Doc, added

_VOLUMES = "os-extended-volumes:volumes_attached"


def _volumes_by_id_only(doc: Doc) -> None:
    if _VOLUMES in doc:
        doc[_VOLUMES] = [{"id": volume["id"]} for volume in doc[_VOLUMES]]


def _schema_by_id_only(schema: Schema) -> None:
    schemas.drop(schema, _VOLUMES, "delete_on_termination")


CHANGES: tuple[Change, ...] = (
    added(
        "server",
        "OS-EXT-SRV-ATTR:reservation_id",
        "OS-EXT-SRV-ATTR:launch_index",
        "OS-EXT-SRV-ATTR:hostname",
        "OS-EXT-SRV-ATTR:kernel_id",
        "OS-EXT-SRV-ATTR:ramdisk_id",
        "OS-EXT-SRV-ATTR:root_device_name",
        "OS-EXT-SRV-ATTR:user_data",
        name="server-extended-attributes",
        why="Server details show administrators reservation, launch index, hostname, kernel, ramdisk, root device and user data.",
    ),
    Change(
        name="server-volumes-delete-on-termination",
        shape="server",
        why="The volumes of a server say whether they are deleted with it.",
        down=_volumes_by_id_only,
        loses=frozenset({_VOLUMES}),
        schema_down=_schema_by_id_only,
    ),
)
