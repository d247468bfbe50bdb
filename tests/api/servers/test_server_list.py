"""Listing servers: filters, order, pages, and who sees what."""

from typing import Any

import pytest

from api.server_stage import NEWEST, SERVERS, Stage


@pytest.fixture(scope="module")
def trio(stage: Stage) -> list[str]:
    """Three servers that differ, oldest first; the last is stopped."""
    first = stage.boot(name="alpha", metadata={"tier": "1"}, networks="auto", description="one")
    second = stage.boot(name="beta", tags=["red", "blue"], metadata={"tier": "1", "size": "2"}, config_drive=True)
    third = stage.boot(name="gamma", tags=["red"], availability_zone="nova")
    stage.act(third, {"os-stop": None})
    stage.act(second, {"lock": {"locked_reason": "mine"}})
    stage.cloud.wait_for_status(third, "SHUTOFF")
    return [first, second, third]


def matching(stage: Stage, trio: list[str], **params: Any) -> str:
    """Which of the three a list holds, as letters a, b and c, oldest first."""
    found = stage.ids(**params)
    return "".join(letter for letter, server_id in zip("abc", trio, strict=True) if server_id in found)


def test_list__newest_first__id_name_and_links(stage: Stage, trio: list[str]) -> None:
    servers = stage.cloud.member.get(SERVERS, version=NEWEST)["servers"]
    assert [server["id"] for server in servers] == trio[::-1]
    assert all(set(server) == {"id", "name", "links"} for server in servers)
    assert stage.ids(path=f"{SERVERS}/detail") == trio[::-1]


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"name": "alp"}, "a"),
        ({"name": "^.*a$"}, "abc"),
        ({"name": "nothing"}, ""),
        ({"status": "SHUTOFF"}, "c"),
        ({"status": "shutoff"}, "c"),
        ({"status": ["ACTIVE", "SHUTOFF"]}, "abc"),
        ({"vm_state": "stopped"}, "c"),
        ({"power_state": 4}, "c"),
        ({"power_state": 99}, ""),
        ({"task_state": "spawning"}, ""),
        ({"task_state": "dreaming"}, ""),
        ({"tags": "red"}, "bc"),
        ({"tags": "red,blue"}, "b"),
        ({"tags-any": "blue,green"}, "b"),
        ({"not-tags": "red,blue"}, "ac"),
        ({"not-tags-any": "blue,green"}, "ac"),
        ({"locked": "true"}, "b"),
        ({"locked": "false"}, "ac"),
        ({"config_drive": "1"}, "b"),
        ({"availability_zone": "nova"}, "abc"),
        ({"ip": "10\\.0\\."}, "a"),
        ({"ip6": "fe80"}, ""),
        ({"hostname": "gamma"}, "c"),
        ({"user_id": "nobody"}, ""),
        ({"image": "6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c00ff"}, ""),
        ({"flavor": "nope"}, ""),
        ({"changes-since": "2999-01-01T00:00:00Z"}, ""),
        ({"changes-since": "2001-01-01T00:00:00Z"}, "abc"),
        ({"changes-before": "2001-01-01T00:00:00Z"}, ""),
        ({"changes-before": "2999-01-01T00:00:00+02:00"}, "abc"),
        ({"limit": 0}, ""),
    ],
    ids=str,
)
def test_list__filter__those_that_match(stage: Stage, trio: list[str], params: dict[str, Any], found: str) -> None:
    assert matching(stage, trio, **params) == found


def test_list__flavor_and_image__those_that_match(stage: Stage, trio: list[str]) -> None:
    assert matching(stage, trio, flavor=stage.flavor, image=stage.image) == "abc"


@pytest.mark.parametrize(
    ("params", "for_admin", "for_member"),
    [
        ({"host": "nowhere"}, "", "abc"),
        ({"metadata": '{"tier": "1"}'}, "ab", "abc"),
        ({"metadata": '{"tier": "1", "size": "2"}'}, "b", "abc"),
        ({"description": "one"}, "a", "abc"),
        ({"uuid": "6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c00ff"}, "", "abc"),
        ({"locked_by": "owner"}, "b", "abc"),
        ({"locked_by": "admin"}, "", "abc"),
        ({"auto_disk_config": "MANUAL"}, "abc", "abc"),
        ({"auto_disk_config": "AUTO"}, "", "abc"),
        ({"kernel_id": "6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c00ff"}, "", "abc"),
        ({"ramdisk_id": "6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c00ff"}, "", "abc"),
        ({"terminated_at": "2026-01-01T00:00:00Z"}, "", "abc"),
        ({"soft_deleted": "true"}, "abc", "abc"),
    ],
    ids=str,
)
def test_list__filters_of_administrators__no_notice_from_others(
    stage: Stage, trio: list[str], params: dict[str, str], for_admin: str, for_member: str
) -> None:
    assert matching(stage, trio, who=stage.cloud.admin, all_tenants=1, **params) == for_admin
    assert matching(stage, trio, **params) == for_member


def test_list__filters_that_became_everybodys__no_notice_before(stage: Stage, trio: list[str]) -> None:
    assert matching(stage, trio, vm_state="stopped", version="2.82") == "abc"
    assert matching(stage, trio, vm_state="stopped", version="2.83") == "c"
    assert matching(stage, trio, hostname="gamma", version="2.89") == "abc"
    assert matching(stage, trio, ip6="fe80", version="2.4") == "abc"
    assert matching(stage, trio, ip6="fe80", version="2.5") == ""
    assert matching(stage, trio, tags="blue", version="2.25") == "abc"
    assert matching(stage, trio, locked="true", version="2.72") == "abc"


def test_list__pages__follow_the_links(stage: Stage, trio: list[str]) -> None:
    seen: list[str] = []
    path = f"{SERVERS}/detail?limit=2"
    while True:
        page = stage.cloud.member.get(path, version=NEWEST)
        seen += [server["id"] for server in page["servers"]]
        if "servers_links" not in page:
            break
        (link,) = page["servers_links"]
        assert link["rel"] == "next"
        path = link["href"].removeprefix("http://kilonova.test")
    assert seen == trio[::-1]


def test_list__sorted__by_repeated_keys(stage: Stage, trio: list[str]) -> None:
    assert stage.ids(sort_key="display_name", sort_dir="asc") == trio
    by_state = stage.ids(sort_key=["vm_state", "display_name"], sort_dir=["desc", "asc"])
    assert by_state == [trio[2], trio[0], trio[1]]
    assert stage.ids(sort_key="locked", sort_dir="desc")[0] == trio[1]
    assert stage.ids(sort_key="locked", version="2.72") == trio[::-1]
    assert stage.ids(sort_key="memory_mb") == trio[::-1]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "many"},
        {"limit": -1},
        {"marker": "6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c00ff"},
        {"marker": "../x"},
        {"sort_key": "colour"},
        {"sort_dir": "sideways"},
        {"sort_key": "uuid", "sort_dir": ["asc", "desc"]},
        {"name": "("},
        {"name": "a" * 300},
        {"ip": "["},
        {"status": "DREAMING"},
        {"changes-since": "yesterday"},
        {"changes-since": "2020-01-02T00:00:00", "changes-before": "2020-01-01T00:00:00"},
        {"locked": "perhaps"},
        {"all_tenants": "perhaps"},
        {"launch_index": 1, "colour": "red"},
        {"power_state": "on"},
        {"nope": 1},
    ],
    ids=str,
)
def test_list__query_wrong__bad_request(stage: Stage, params: dict[str, Any]) -> None:
    for path in (SERVERS, f"{SERVERS}/detail"):
        stage.cloud.member.get(path, params=params, version=NEWEST, status=400)


def test_list__unknown_parameters__ignored_before_275(stage: Stage, trio: list[str]) -> None:
    assert matching(stage, trio, nope="1", version="2.74") == "abc"
    assert matching(stage, trio, status="DREAMING", version="2.37") == ""


@pytest.mark.parametrize("name", ["security_groups", "services", "block_device_mapping", "info_cache"])
def test_list__filters_that_are_no_fields__refused(stage: Stage, name: str) -> None:
    stage.cloud.admin.get(SERVERS, params={name: "x"}, version=NEWEST, status=400)


def test_list__other_projects__only_for_administrators(stage: Stage, trio: list[str]) -> None:
    other, admin = stage.cloud.other, stage.cloud.admin
    theirs = stage.create(who=other)["server"]["id"]
    assert theirs not in stage.ids()
    assert set(trio).isdisjoint(stage.ids(who=other, tenant_id=stage.cloud.member.project_id))
    assert set(trio).isdisjoint(stage.ids(who=admin))
    assert {theirs, *trio} <= set(stage.ids(who=admin, all_tenants=""))
    assert stage.ids(who=admin, all_tenants=1, tenant_id=other.project_id) == [theirs]
    for kind, path in (("index", SERVERS), ("detail", f"{SERVERS}/detail")):
        fault = stage.cloud.member.get(path, params={"all_tenants": 1}, version=NEWEST, status=403)["forbidden"]
        assert f"servers:{kind}:get_all_tenants" in fault["message"]


def test_list__deleted__for_administrators_and_since_a_change(stage: Stage) -> None:
    gone = stage.boot(name="doomed")
    stage.cloud.member.delete(f"{SERVERS}/{gone}")
    stage.cloud.wait_for_gone(gone)
    assert gone not in stage.ids()
    assert gone in stage.ids(who=stage.cloud.admin, deleted="true", all_tenants=1)
    assert gone in stage.ids(who=stage.cloud.admin, status="deleted", all_tenants=1)
    everyone = {"who": stage.cloud.admin, "deleted": "true", "all_tenants": 1}
    (shown,) = stage.cloud.admin.get(
        f"{SERVERS}/detail", params={"uuid": gone, "deleted": "true", "all_tenants": 1}, version=NEWEST
    )["servers"]
    at = shown["OS-SRV-USG:terminated_at"]
    assert gone in stage.ids(terminated_at=at, **everyone)
    assert gone in stage.ids(terminated_at=at[:19], **everyone)
    assert gone not in stage.ids(terminated_at="2001-01-01T00:00:00", **everyone)
    assert gone in stage.ids(soft_deleted="false", **everyone)
    assert gone in stage.ids(**{"changes-since": "2001-01-01T00:00:00Z"})
    assert gone in stage.ids(**{"changes-before": "2999-01-01T00:00:00Z"})
    stage.cloud.member.get(SERVERS, params={"status": "DELETED"}, version=NEWEST, status=403)


def test_list__sort_by_host__only_for_administrators(stage: Stage) -> None:
    stage.cloud.member.get(SERVERS, params={"sort_key": "host"}, version=NEWEST, status=403)
    stage.cloud.admin.get(SERVERS, params={"sort_key": "node"}, version=NEWEST)
