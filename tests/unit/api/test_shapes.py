"""The words that describe bodies, and the schemas of Structs."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, UnsetType, field

from kilonova.api.fields import Name, Truth, Whole
from kilonova.api.shapes import TEXT, also, either, obj, or_null, shaped, told, words
from kilonova.api.struct_schema import schema_of
from kilonova.objects.history.api import API


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    size: Whole


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    name: Name
    kind: Literal["a", "b"] = "a"
    inner: list[Inner] = []
    other_name: Annotated[str, msgspec.Meta(pattern=r"\A\d+\Z", max_length=3)] | UnsetType | None = field(
        name="other:name", default=UNSET
    )
    anything: Any = None
    keyed: dict[Annotated[str, msgspec.Meta(min_length=1)], str] = {}


def test_schema_of__struct__every_kind_in_its_place() -> None:
    schema = schema_of(Outer)
    assert (schema["required"], schema["additionalProperties"]) == (["name"], False)
    assert schema["properties"] == {
        "name": Name.schema,
        "kind": {"enum": ["a", "b"]},
        "inner": {"type": "array", "items": obj({"size": Whole.schema})},
        "other:name": {"type": ["string", "null"], "maxLength": 3, "pattern": r"^\d+$"},
        "anything": {},
        "keyed": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "propertyNames": {"type": "string", "minLength": 1},
        },
    }


@pytest.mark.parametrize("value", Truth.schema["enum"])
def test_truth__each_word_of_its_schema__is_read(value: object) -> None:
    assert Truth.read(value) in {0, 1}


def test_or_null__each_kind() -> None:
    assert or_null(TEXT) == {"type": ["string", "null"]}
    assert or_null(words("a")) == {"enum": ["a", None]}
    assert or_null(either(TEXT)) == {"anyOf": [either(TEXT), {"type": "null"}]}


def test_told__marked_shape__older_fields_gone_and_lasting_ones_put() -> None:
    schema = obj({"server": also(shaped(obj({"id": TEXT, "locked": TEXT}), "server"), {"adminPass": TEXT})})
    assert set(told(schema, API.level("2.8"))["properties"]["server"]["properties"]) == {"id", "adminPass"}
    assert set(told(schema, API.newest)["properties"]["server"]["required"]) == {"id", "locked", "adminPass"}
