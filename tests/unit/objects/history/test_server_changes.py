"""The changes of everything about servers: what each microversion reads and tells."""

import copy
from typing import Any

import pytest

from kilonova.kernel.errors import Invalid
from kilonova.kernel.versions import UnknownField
from kilonova.objects.history.api import API, NEWEST

MINORS = range(1, NEWEST + 1)
CREATE: dict[str, range] = {
    "description": range(19, NEWEST + 1),
    "tags": range(52, NEWEST + 1),
    "personality": range(1, 57),
    "trusted_image_certificates": range(63, NEWEST + 1),
    "host": range(74, NEWEST + 1),
    "hypervisor_hostname": range(74, NEWEST + 1),
    "hostname": range(90, NEWEST + 1),
}
"""At which microversions a create may carry a field that not all have."""
UPDATE = {
    "description": range(19, NEWEST + 1),
    "hostname": range(90, NEWEST + 1),
    "pinned_availability_zone": range(104, NEWEST + 1),
}
NESTED: dict[tuple[str, str], tuple[range, ...]] = {
    ("networks", "tag"): (range(32, 37), range(42, NEWEST + 1)),
    ("block_device_mapping_v2", "tag"): (range(32, 33), range(42, NEWEST + 1)),
    ("block_device_mapping_v2", "volume_type"): (range(67, NEWEST + 1),),
}
TOLD: dict[str, dict[str, Any]] = {
    "server": {
        "id": "1",
        "image": {"id": "2", "properties": {"a": "b"}},
        "locked": True,
        "tags": ["a"],
        "server_groups": [],
        "scheduler_hints": {},
    },
    "server_updated": {
        "id": "1",
        "key_name": None,
        "addresses": {"net": [{"addr": "::1", "OS-EXT-IPS:type": "fixed"}]},
    },
    "instance_action": {"action": "stop", "updated_at": "t"},
    "instance_action_event": {"event": "spawn", "hostId": "", "host": None, "details": None},
}


def read(minor: int, shape: str, doc: dict[str, Any]) -> dict[str, Any]:
    return API.level(f"2.{minor}").up(shape, copy.deepcopy(doc))


@pytest.mark.parametrize("field", CREATE)
def test_create__field__taken_exactly_where_it_is_known(field: str) -> None:
    for minor in MINORS:
        doc = {"name": "web", "networks": [], field: "x"}
        if minor in CREATE[field]:
            assert read(minor, "server_create", doc)[field] == "x"
        else:
            with pytest.raises(UnknownField, match=field):
                read(minor, "server_create", doc)


@pytest.mark.parametrize("field", UPDATE)
def test_update__field__taken_exactly_where_it_is_known(field: str) -> None:
    for minor in MINORS:
        if minor in UPDATE[field]:
            assert read(minor, "server_update", {field: "x"}) == {field: "x"}
        else:
            with pytest.raises(UnknownField, match=field):
                read(minor, "server_update", {field: "x"})


@pytest.mark.parametrize(("key", "field"), NESTED)
def test_create__field_of_items__taken_exactly_where_it_is_known(key: str, field: str) -> None:
    for minor in MINORS:
        doc = {"networks": [], key: [{"uuid": "u"}, {"uuid": "v", field: "x"}]}
        if any(minor in window for window in NESTED[key, field]):
            assert read(minor, "server_create", doc)[key] == doc[key]
        else:
            with pytest.raises(UnknownField, match=field):
                read(minor, "server_create", doc)


@pytest.mark.parametrize("items", [None, "tag", 7, {"tag": 1}, [None, "tag", ["tag"]]], ids=str)
def test_create__items_of_other_kinds__left_for_validation(items: object) -> None:
    for minor in (1, 35, 40, 104):
        for key in ("networks", "block_device_mapping_v2"):
            if key != "networks" or not isinstance(items, str):
                assert read(minor, "server_create", {"networks": [], key: items})[key] == items


def test_create__networks__left_out_until_237() -> None:
    assert read(36, "server_create", {"name": "web"})["networks"] == []
    assert "networks" not in read(37, "server_create", {"name": "web"})
    with pytest.raises(Invalid, match="not of type 'array'"):
        read(36, "server_create", {"networks": "auto"})


def test_create__description__the_name_until_219() -> None:
    assert read(18, "server_create", {"name": "web"})["description"] == "web"
    assert "description" not in read(19, "server_create", {"name": "web"})


@pytest.mark.parametrize("shape", ["server_create", "server_update"])
def test_hostname__qualified_since_294(shape: str) -> None:
    assert read(93, shape, {"hostname": "web"})["hostname"] == "web"
    assert read(94, shape, {"hostname": "web.example.org"})["hostname"] == "web.example.org"
    with pytest.raises(Invalid, match="hostname"):
        read(93, shape, {"hostname": "web.example.org"})
    assert read(93, shape, {"hostname": 7})["hostname"] == 7


@pytest.mark.parametrize("shape", TOLD)
def test_told__by_every_level__less_at_older_ones_and_all_at_the_newest(shape: str) -> None:
    sizes = [len(str(API.level(f"2.{minor}").down(shape, copy.deepcopy(TOLD[shape])))) for minor in MINORS]
    assert sizes == sorted(sizes)
    assert API.newest.down(shape, copy.deepcopy(TOLD[shape])) == TOLD[shape]


def test_told__what_older_levels_lose__is_declared() -> None:
    for shape, sample in TOLD.items():
        declared = {
            path.partition(".")[0] for _, change in API.changes() if change.shape == shape for path in change.loses
        }
        oldest = API.level("2.1").down(shape, copy.deepcopy(sample))
        assert {key for key in sample if oldest.get(key) != sample[key]} <= declared
