"""2.75: A clean-up: unknown parameters are refused everywhere in lists, and answers are alike."""

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, Doc


def _empty_swap(doc: Doc) -> None:
    if doc.get("swap") == 0:
        doc["swap"] = ""


def _zero_swap(doc: Doc) -> None:
    if doc.get("swap") == "":
        doc["swap"] = 0


def _no_empty_servers(doc: Doc) -> None:
    if doc.get("servers") == []:
        del doc["servers"]


_BEYOND_BASICS = (
    "OS-EXT-AZ:availability_zone",
    "OS-EXT-SRV-ATTR:host",
    "OS-EXT-SRV-ATTR:hostname",
    "OS-EXT-SRV-ATTR:hypervisor_hostname",
    "OS-EXT-SRV-ATTR:instance_name",
    "OS-EXT-SRV-ATTR:kernel_id",
    "OS-EXT-SRV-ATTR:launch_index",
    "OS-EXT-SRV-ATTR:ramdisk_id",
    "OS-EXT-SRV-ATTR:reservation_id",
    "OS-EXT-SRV-ATTR:root_device_name",
    "OS-EXT-SRV-ATTR:user_data",
    "OS-EXT-STS:power_state",
    "OS-EXT-STS:task_state",
    "OS-EXT-STS:vm_state",
    "OS-SRV-USG:launched_at",
    "OS-SRV-USG:terminated_at",
    "config_drive",
    "host_status",
    "key_name",
    "os-extended-volumes:volumes_attached",
    "security_groups",
)


def _only_basics(doc: Doc) -> None:
    for key in _BEYOND_BASICS:
        doc.pop(key, None)
    for listed in doc.get("addresses", {}).values():
        for address in listed:
            address.pop("OS-EXT-IPS:type", None)
            address.pop("OS-EXT-IPS-MAC:mac_addr", None)


def _schema_empty_swap(schema: Schema) -> None:
    schemas.swap(schema, {"anyOf": [{"type": "integer", "minimum": 1}, {"const": ""}]}, "swap")


def _schema_only_basics(schema: Schema) -> None:
    for key in _BEYOND_BASICS:
        schemas.drop(schema, key)
    for one in schemas.objects(schema):
        for field in ("OS-EXT-IPS:type", "OS-EXT-IPS-MAC:mac_addr"):
            schemas.drop(one["properties"]["addresses"]["additionalProperties"], field)


CHANGES: tuple[Change, ...] = (
    Change(
        name="strict-list-queries",
        shape="query",
        why="Unknown query parameters of lists, key pairs and quotas are refused.",
        effect=True,
    ),
    Change(
        name="flavor-swap-number",
        shape="flavor",
        why="A flavor without swap shows 0, not an empty text.",
        up=_zero_swap,
        down=_empty_swap,
        schema_down=_schema_empty_swap,
    ),
    Change(
        name="hypervisor-empty-servers",
        shape="hypervisor",
        why="A hypervisor asked for its servers shows an empty list when it has none.",
        down=_no_empty_servers,
        loses=frozenset({"servers"}),
    ),
    Change(
        name="server-updated-in-full",
        shape="server_updated",
        why="Updating a server answers with all that showing it does.",
        down=_only_basics,
        schema_down=_schema_only_basics,
        loses=frozenset({*_BEYOND_BASICS, "addresses"}),
    ),
)
