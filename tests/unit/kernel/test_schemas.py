"""Edits of schemas, and what a level makes of a newest one."""

from typing import Any

import pytest

from kilonova.kernel import schemas
from kilonova.kernel.versions import Line, accepted, added, ignored_before, refused, renamed, withdrawn


def obj(*fields: str, **inner: Any) -> dict[str, Any]:
    properties: dict[str, Any] = {**{field: {"type": "string"} for field in fields}, **inner}
    return {"type": "object", "properties": properties, "required": sorted(properties)}


LINE = Line(
    "test",
    (
        ("1", ()),
        ("2", (added("thing", "colour", "size.depth", name="colour", why="w"),)),
        ("3", (renamed("thing", "title", "name", name="named", why="w"),)),
        ("4", (withdrawn("thing", "weight", name="weightless", why="w"),)),
        ("5", (accepted("wish", "host", name="host", why="w"), ignored_before("query", "q", name="q", why="w"))),
        (
            "6",
            (refused("wish", "force", name="gentle", why="w", schema_down=lambda one: schemas.demand(one, "force")),),
        ),
    ),
)
THING = obj("name", "colour", "weight", size=obj("depth", "width"))


@pytest.mark.parametrize(
    ("label", "fields", "inner"),
    [
        ("4", {"name", "colour", "size"}, {"depth", "width"}),
        ("3", {"name", "colour", "size", "weight"}, {"depth", "width"}),
        ("2", {"title", "colour", "size", "weight"}, {"depth", "width"}),
        ("1", {"title", "size", "weight"}, {"width"}),
    ],
)
def test_schema__each_level__fields_and_what_is_required(label: str, fields: set[str], inner: set[str]) -> None:
    told = LINE.level(label).schema("thing", THING)
    assert set(told["properties"]) == set(told["required"]) == fields
    assert set(told["properties"]["size"]["properties"]) == set(told["properties"]["size"]["required"]) == inner


def test_schema__newest__left_as_it_was() -> None:
    before = str(THING)
    LINE.level("1").schema("thing", THING)
    assert str(THING) == before


@pytest.mark.parametrize(("label", "known"), [("4", {"force"}), ("5", {"force", "host"}), ("6", {"host"})])
def test_schema__of_a_request__what_its_level_takes(label: str, known: set[str]) -> None:
    wish = {"type": "object", "properties": {"force": {}, "host": {}}}
    told = LINE.level(label).schema("wish", wish)
    assert set(told["properties"]) == known
    assert told.get("required") == (["force"] if label < "6" else None)


def test_edits__reach_through_lists_and_alternatives() -> None:
    schema = {"anyOf": [{"type": "array", "items": obj("a", inner=obj("b"))}, obj("a"), {"type": "null"}]}
    schemas.drop(schema, "inner", "b")
    schemas.drop(schema, "a")
    listed, single, _ = schema["anyOf"]
    assert set(listed["items"]["properties"]) == {"inner"}
    assert listed["items"]["properties"]["inner"]["properties"] == {}
    assert single == {"type": "object", "properties": {}}


def test_swap__field_that_is_not_there__left_out() -> None:
    schema = obj("a")
    schemas.swap(schema, {"type": "integer"}, "b")
    schemas.swap(schema, {"type": "integer"}, "a")
    assert schema["properties"] == {"a": {"type": "integer"}}
