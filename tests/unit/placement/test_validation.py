"""msgspec's errors in the words of JSON Schema."""

from typing import Annotated

import msgspec
import pytest

from kilonova.placement.api.allocations import AllocationsBody
from kilonova.placement.api.inventories import NewInventoryBody
from kilonova.placement.api.validation import worded

UUID = "aaaaaaaa-0000-4000-8000-000000000001"


def said(document: object, kind: object) -> str:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(document, kind)
    return worded(raised.value, document)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"total": 0, "resource_class": "VCPU"}, "0 is less than the minimum of 1  Failed validating 'minimum'"),
        ({"total": 2**31, "resource_class": "VCPU"}, "2147483648 is greater than the maximum of 2147483647"),
        ({"total": 1, "resource_class": "v"}, "'v' does not match '^[A-Z0-9_]+$'  Failed validating 'pattern'"),
        ({"total": True, "resource_class": "VCPU"}, "True is not of type 'integer'"),
        ({"total": 1, "resource_class": "VCPU", "allocation_ratio": "x"}, "'x' is not of type 'number'"),
    ],
)
def test_inventory__wrong_value__is_named_with_its_rule(document, words):
    assert words in said(document, NewInventoryBody)


@pytest.mark.parametrize(
    ("allocations", "words"),
    [
        ({"cow": {"resources": {"VCPU": 1}}}, "'cow' does not match any of the regexes: '^[0-9a-fA-F-]{36}$'"),
        ({UUID: {"resources": {}}}, "{} does not have enough properties  Failed validating 'minProperties'"),
        ({UUID: {"resources": {"VCPU": 1}}, "b" * 36: {"resources": {"VCPU": 0}}}, "0 is less than the minimum of 1"),
        ({UUID: {}}, "'resources' is a required property"),
    ],
)
def test_allocations__wrong_entry__is_found_among_the_others(allocations, words):
    assert words in said({"allocations": allocations}, AllocationsBody)


def test_lists__by_index__and_length():
    names = Annotated[list[Annotated[str, msgspec.Meta(min_length=1)]], msgspec.Meta(min_length=1)]
    assert "'' is too short  Failed validating 'minLength'" in said(["a", ""], names)
    assert "[] is too short  Failed validating 'minItems'" in said([], names)
    assert "{'a': 1} is not of type 'array'" in said({"a": 1}, names)
