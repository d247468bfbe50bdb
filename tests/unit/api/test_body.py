"""Request bodies: from JSON at a microversion to a Struct, or a sentence about what is wrong."""

from typing import Any

import pytest
from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request

from kilonova.api import body
from kilonova.api.fields import HostField, Name, Positive, QuotaValue, Truth, Whole, ZoneName
from kilonova.kernel.errors import Invalid
from kilonova.kernel.versions import UnknownField
from kilonova.objects.history.api import API, LEGACY
from kilonova.web.call import Call


class Part(Struct, forbid_unknown_fields=True):
    size: Positive


class Thing(Struct, forbid_unknown_fields=True):
    name: Name
    parts: list[Part] = []
    flag: Truth | UnsetType = UNSET


def call(document: Any, label: str = "2.1") -> Call:
    line = LEGACY if label == "2.0" else API
    return Call(Request({"type": "http", "headers": []}), "/", "req-1", level=line.level(label), body=document)


def test_read__right__struct() -> None:
    thing = body.read(call({"thing": {"name": "n", "parts": [{"size": "3"}], "flag": "yes"}}), "thing", Thing)
    assert (thing.name, thing.parts[0].size, bool(thing.flag)) == ("n", 3, True)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "The request body must be a JSON object that holds 'thing'."),
        ([], "The request body must be a JSON object that holds 'thing'."),
        ({}, "Invalid input for field/attribute body. Value: {}. 'thing' is a required property"),
        ({"thing": 1}, "Invalid input for field/attribute thing. Value: 1. It must be an object"),
        ({"thing": {}}, "Invalid input for field/attribute thing. Value: {}. 'name' is a required property"),
        ({"thing": {}, "more": 1}, "Additional properties are not allowed ('more' was unexpected)"),
        ({"thing": {"name": "n", "x": 1}}, "Additional properties are not allowed ('x' was unexpected)"),
        (
            {"thing": {"name": "n", "parts": [{"size": 1}, {"size": 0}]}},
            "Invalid input for field/attribute parts.1.size. Value: 0. It must be between 1 and 2147483647",
        ),
        (
            {"thing": {"name": "n", "parts": [{}]}},
            "Invalid input for field/attribute parts.0. Value: {}. 'size' is a required property",
        ),
        (
            {"thing": {"name": "n", "parts": {}}},
            "Invalid input for field/attribute parts. Value: {}. Expected `array`, got `object`",
        ),
    ],
)
def test_read__wrong__says_what(document: Any, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        body.read(call(document), "thing", Thing)
    assert caught.value.message == message


def test_read__at_2_0__unknown_fields_dropped_and_names_trimmed() -> None:
    document = {"thing": {"name": " n ", "x": 1, "parts": [{"size": 1, "y": 2}]}, "more": 1}
    assert body.read(call(document, "2.0"), "thing", Thing).name == "n"


def test_read__at_2_0__fields_of_newer_microversions_dropped_too() -> None:
    class Flavor(Struct, forbid_unknown_fields=True):
        name: Name
        description: str | None = None

    document = {"flavor": {"name": "n", "description": "d"}}
    assert body.read(call(document, "2.0"), "flavor", Flavor, "flavor_create").description is None
    document = {"flavor": {"name": "n", "description": "d"}}
    with pytest.raises(UnknownField, match="description"):
        body.read(call(document, "2.54"), "flavor", Flavor, "flavor_create")


@pytest.mark.parametrize(
    ("kind", "value", "meaning"),
    [
        (Whole, 0, 0),
        (Whole, "17", 17),
        (QuotaValue, -1, -1),
        (QuotaValue, "-1", -1),
        (Truth, True, 1),
        (Truth, "FALSE", 0),
        (Truth, "on", 1),
        (Truth, 1, 1),
        (Name, "a b", "a b"),
        (Name, "ü" * 255, "ü" * 255),
        (ZoneName, "az-1", "az-1"),
        (HostField, "host-1.example.org", "host-1.example.org"),
    ],
)
def test_field__right__read(kind: Any, value: Any, meaning: Any) -> None:
    assert kind.read(value) == meaning


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Whole, -1),
        (Whole, True),
        (Whole, 1.0),
        (Whole, "1.0"),
        (Whole, "٣"),
        (Whole, 2**31),
        (Whole, "9" * 50),
        (Whole, None),
        (QuotaValue, -2),
        (Positive, 0),
        (Truth, "maybe"),
        (Truth, 1.0),
        (Truth, None),
        (Truth, 2),
        (Name, ""),
        (Name, " x"),
        (Name, "x\n"),
        (Name, "a\x00b"),
        (Name, "x" * 256),
        (Name, 7),
        (ZoneName, "a:b"),
        (HostField, "a/b"),
        (HostField, ""),
        (HostField, "höst"),
    ],
)
def test_field__wrong__refused(kind: Any, value: Any) -> None:
    with pytest.raises(ValueError, match="it m"):
        kind.read(value)
