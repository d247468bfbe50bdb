"""2.28: A hypervisor's cpu_info is an object instead of a string."""

import json

from kilonova.kernel import schemas
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Change, Doc


def _as_text(doc: Doc) -> None:
    if "cpu_info" in doc:
        doc["cpu_info"] = json.dumps(doc["cpu_info"])


def _as_object(doc: Doc) -> None:
    if "cpu_info" in doc:
        doc["cpu_info"] = json.loads(doc["cpu_info"])


def _schema_as_text(schema: Schema) -> None:
    schemas.swap(schema, {"type": "string"}, "cpu_info")


CHANGES: tuple[Change, ...] = (
    Change(
        name="hypervisor-cpu-info-object",
        shape="hypervisor",
        why="The field cpu_info is a JSON object; before, it was text that holds one.",
        up=_as_object,
        down=_as_text,
        schema_down=_schema_as_text,
    ),
)
