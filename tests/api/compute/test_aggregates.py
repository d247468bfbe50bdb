"""Aggregates and availability zones."""

from typing import Any

import pytest

from api.compute_rig import MEMBER, READER, Rig


def create(rig: Rig, name: str = "a", zone: str | None = None, hosts: tuple[str, ...] = ()) -> int:
    body = {"aggregate": {"name": name, "availability_zone": zone}}
    number = rig.ok("POST", "/os-aggregates", body)["aggregate"]["id"]
    for host in hosts:
        act(rig, number, "add_host", host=host)
    return number


def act(rig: Rig, number: int, action: str, status: int = 200, **fields: Any) -> Any:
    return rig.ok("POST", f"/os-aggregates/{number}/action", {action: fields}, status=status)


@pytest.mark.parametrize(("version", "more"), [("2.40", set()), ("2.41", {"uuid"})])
def test_show__at_each_version__its_keys(rig: Rig, version: str, more: set[str]) -> None:
    brief = {"id", "name", "availability_zone", "created_at", "updated_at", "deleted", "deleted_at"} | more
    body = {"aggregate": {"name": "a", "availability_zone": "z"}}
    created = rig.ok("POST", "/os-aggregates", body, version=version)["aggregate"]
    assert set(created) == brief
    shown = rig.ok("GET", f"/os-aggregates/{created['id']}", version=version)["aggregate"]
    assert set(shown) == brief | {"hosts", "metadata"}
    assert (shown["availability_zone"], shown["metadata"], shown["hosts"]) == ("z", {"availability_zone": "z"}, [])
    assert rig.ok("GET", "/os-aggregates", version=version)["aggregates"] == [shown]


@pytest.mark.parametrize(
    "fields", [{}, {"name": ""}, {"name": "a", "availability_zone": "x:y"}, {"name": "a", "hosts": []}, {"name": 1}]
)
def test_create__bad_field__400(rig: Rig, fields: dict[str, Any]) -> None:
    assert rig.ask("POST", "/os-aggregates", {"aggregate": fields}).status_code == 400


def test_create__name_taken__409(rig: Rig) -> None:
    create(rig)
    assert rig.ask("POST", "/os-aggregates", {"aggregate": {"name": "a"}}).status_code == 409


def test_update__name_and_zone__changed(rig: Rig) -> None:
    number = create(rig)
    body = {"aggregate": {"name": "b", "availability_zone": "z"}}
    after = rig.ok("PUT", f"/os-aggregates/{number}", body)["aggregate"]
    assert (after["name"], after["availability_zone"]) == ("b", "z")
    assert after["updated_at"] is not None
    after = rig.ok("PUT", f"/os-aggregates/{number}", {"aggregate": {"availability_zone": None}})["aggregate"]
    assert (after["name"], after["availability_zone"], after["metadata"]) == ("b", None, {})


def test_update__nothing__400(rig: Rig) -> None:
    assert rig.ask("PUT", f"/os-aggregates/{create(rig)}", {"aggregate": {}}).status_code == 400


def test_metadata__set_and_removed(rig: Rig) -> None:
    number = create(rig)
    after = act(rig, number, "set_metadata", metadata={"ssd": "true", "rack": "7"})["aggregate"]
    assert after["metadata"] == {"ssd": "true", "rack": "7"}
    assert act(rig, number, "set_metadata", metadata={"rack": None})["aggregate"]["metadata"] == {"ssd": "true"}
    act(rig, number, "set_metadata", status=400, metadata={"x": 1})
    act(rig, number, "set_metadata", status=400, metadata={"": "x"})
    act(rig, number, "set_metadata", status=400, metadata={"x": "v" * 256})


def test_host__added_once_and_removed_once(rig: Rig) -> None:
    number = create(rig)
    assert act(rig, number, "add_host", host="host-1")["aggregate"]["hosts"] == ["host-1"]
    act(rig, number, "add_host", status=409, host="host-1")
    act(rig, number, "add_host", status=404, host="host-9")
    act(rig, number, "add_host", status=400, host="../etc")
    assert act(rig, number, "remove_host", host="host-1")["aggregate"]["hosts"] == []
    act(rig, number, "remove_host", status=404, host="host-1")


def test_host__in_one_zone_only(rig: Rig) -> None:
    create(rig, "a", "east", ("host-1",))
    other = create(rig, "b", "west")
    act(rig, other, "add_host", status=409, host="host-1")
    plain = create(rig, "c", None, ("host-1",))
    assert rig.ask("PUT", f"/os-aggregates/{plain}", {"aggregate": {"availability_zone": "west"}}).status_code == 400
    act(rig, plain, "set_metadata", status=400, metadata={"availability_zone": "west"})
    act(rig, plain, "set_metadata", metadata={"availability_zone": "east"})


def test_delete__with_hosts__400_until_empty(rig: Rig) -> None:
    number = create(rig, hosts=("host-1",))
    assert rig.ask("DELETE", f"/os-aggregates/{number}").status_code == 400
    act(rig, number, "remove_host", host="host-1")
    rig.ok("DELETE", f"/os-aggregates/{number}")
    assert rig.ask("DELETE", f"/os-aggregates/{number}").status_code == 404


@pytest.mark.parametrize("number", ["x", "1.5", "9" * 30, "%00"])
def test_id__not_a_number__400(rig: Rig, number: str) -> None:
    assert rig.ask("GET", f"/os-aggregates/{number}").status_code == 400


def test_zones__hosts_by_zone(rig: Rig) -> None:
    create(rig, "a", "east", ("host-1",))
    zones = rig.ok("GET", "/os-availability-zone", token=READER)["availabilityZoneInfo"]
    assert zones == [
        {"zoneName": "east", "zoneState": {"available": True}, "hosts": None},
        {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None},
    ]
    detail = rig.ok("GET", "/os-availability-zone/detail")["availabilityZoneInfo"]
    state = detail[0]["hosts"]["host-1"]["nova-compute"]
    assert (state["active"], state["available"]) == (True, True)
    assert rig.ask("GET", "/os-availability-zone/detail", token=MEMBER).status_code == 403


def test_zone__all_hosts_disabled__not_available(rig: Rig) -> None:
    create(rig, "a", "east", ("host-1",))
    rig.ok("PUT", "/os-services/disable", {"host": "host-1", "binary": "nova-compute"})
    zones = rig.ok("GET", "/os-availability-zone")["availabilityZoneInfo"]
    assert [(zone["zoneName"], zone["zoneState"]["available"]) for zone in zones] == [("east", False), ("nova", True)]
