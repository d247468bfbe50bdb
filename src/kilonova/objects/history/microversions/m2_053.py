"""2.53: Compute services and hypervisors are known by UUID, and hypervisors are searched by query."""

from kilonova.kernel import schemas
from kilonova.kernel.ids import uuid_number
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, Doc, ignored_before


def _service_by_number(doc: Doc) -> None:
    doc["id"] = uuid_number(doc["id"])


def _hypervisor_by_number(doc: Doc) -> None:
    doc["id"] = uuid_number(doc["id"])
    doc.pop("servers", None)
    if "service" in doc:
        doc["service"]["id"] = uuid_number(doc["service"]["id"])


def _schema_service_by_number(schema: Schema) -> None:
    schemas.swap(schema, {"type": "integer"}, "id")


def _schema_hypervisor_by_number(schema: Schema) -> None:
    _schema_service_by_number(schema)
    schemas.swap(schema, {"type": "integer"}, "service", "id")
    schemas.drop(schema, "servers")


CHANGES: tuple[Change, ...] = (
    Change(
        name="service-uuid",
        shape="service",
        why="Services are known by UUID; one route, PUT /os-services/{uuid}, changes them.",
        down=_service_by_number,
        schema_down=_schema_service_by_number,
        loses=frozenset({"id"}),
        effect=True,
    ),
    Change(
        name="hypervisor-uuid",
        shape="hypervisor",
        why="Hypervisors are known by UUID and can show their servers.",
        down=_hypervisor_by_number,
        schema_down=_schema_hypervisor_by_number,
        loses=frozenset({"id", "servers", "service"}),
        effect=True,
    ),
    ignored_before(
        "hypervisor_list_query",
        "hypervisor_hostname_pattern",
        "with_servers",
        name="hypervisor-search-by-query",
        why="Hypervisors are searched with query parameters, and unknown ones are refused.",
        effect=True,
    ),
    ignored_before(
        "hypervisor_query",
        "with_servers",
        name="hypervisor-show-servers",
        why="A hypervisor is shown with its servers on demand.",
    ),
)
