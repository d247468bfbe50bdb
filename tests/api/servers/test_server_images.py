"""Snapshots, backups, rebuild and shelving over HTTP."""

from typing import Any

import pytest

from api.server_stage import SERVERS, Stage
from kilonova.scheduler.decide import NO_VALID_HOST

BACKUP = {"name": "nightly", "backup_type": "daily", "rotation": 1}


@pytest.fixture
def server_id(stage: Stage) -> str:
    """An active server."""
    return stage.boot()


def image(stage: Stage, image_id: str) -> Any:
    return stage.cloud.member.get(f"/image/v2/images/{image_id}")


def wait_for_rest(stage: Stage, server_id: str, status: str) -> Any:
    stage.cloud.wait_for_status(server_id, status)
    return stage.show(server_id)


def test_create_image__is_the_projects_own_and_says_whose_disk_it_was(stage: Stage, server_id: str) -> None:
    made = stage.act(server_id, {"createImage": {"name": "golden", "metadata": {"why": "to keep"}}})
    wait_for_task_end(stage, server_id)
    shown = image(stage, made["image_id"])
    assert (shown["name"], shown["status"], shown["visibility"]) == ("golden", "active", "private")
    assert shown["owner"] == stage.cloud.member.project_id
    assert (shown["instance_uuid"], shown["image_type"]) == (server_id, "snapshot")
    assert (shown["base_image_ref"], shown["why"]) == (stage.image, "to keep")
    assert (shown["min_disk"], shown["disk_format"]) == (1, "qcow2")
    stage.create(imageRef=made["image_id"])


def wait_for_task_end(stage: Stage, server_id: str) -> None:
    stage.cloud.wait_for(lambda: stage.show(server_id)["OS-EXT-STS:task_state"] is None)


@pytest.mark.parametrize(
    "wish",
    [None, {}, {"name": ""}, {"name": "x" * 256}, {"name": "x", "metadata": {"k": 1}}, {"name": "x", "more": 1}],
    ids=str,
)
def test_create_image__malformed__bad_request(stage: Stage, server_id: str, wish: Any) -> None:
    stage.act(server_id, {"createImage": wish}, status=400)


def test_create_backup__only_the_newest_stays(stage: Stage, server_id: str) -> None:
    first = stage.act(server_id, {"createBackup": BACKUP})["image_id"]
    wait_for_task_end(stage, server_id)
    second = stage.act(server_id, {"createBackup": BACKUP})["image_id"]
    wait_for_task_end(stage, server_id)
    assert image(stage, second)["backup_type"] == "daily"
    stage.cloud.member.get(f"/image/v2/images/{first}", status=404)


@pytest.mark.parametrize("wrong", [{"rotation": -1}, {"rotation": None}, {"backup_type": 1}, {"name": ""}], ids=str)
def test_create_backup__malformed__bad_request(stage: Stage, server_id: str, wrong: dict[str, Any]) -> None:
    stage.act(server_id, {"createBackup": {**BACKUP, **wrong}}, status=400)


def test_rebuild__another_image_and_all_that_goes_with_it(stage: Stage, server_id: str) -> None:
    other = stage.image_make("other")
    wish = {"imageRef": other, "name": "new", "description": "anew", "metadata": {"a": "b"}, "hostname": "guest"}
    shown = stage.act(server_id, {"rebuild": wish})["server"]
    assert (shown["image"]["id"], shown["name"], shown["description"]) == (other, "new", "anew")
    assert (shown["metadata"], shown["adminPass"] != "") == ({"a": "b"}, True)
    after = wait_for_rest(stage, server_id, "ACTIVE")
    assert (after["image"]["id"], after["OS-EXT-SRV-ATTR:hostname"]) == (other, "guest")


def test_rebuild__stopped__is_stopped_after(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"os-stop": None})
    stage.cloud.wait_for_status(server_id, "SHUTOFF")
    stage.act(server_id, {"rebuild": {"imageRef": stage.image}})
    wait_for_task_end(stage, server_id)
    assert stage.show(server_id)["status"] == "SHUTOFF"


@pytest.mark.parametrize(
    ("wish", "constraint"),
    [
        ({"trait:HW_CPU_X86_AVX512F": "required"}, "trait HW_CPU_X86_AVX512F"),
        ({"hw_architecture": "aarch64"}, "ImagePropertiesFilter"),
    ],
)
def test_rebuild__image_that_the_host_may_not_have__keeps_its_image(
    stage: Stage, server_id: str, wish: dict[str, str], constraint: str
) -> None:
    demanding = stage.image_make("demanding", **wish)
    stage.act(server_id, {"rebuild": {"imageRef": demanding}})
    wait_for_task_end(stage, server_id)
    shown = stage.show(server_id)
    assert (shown["status"], shown["image"]["id"]) == ("ACTIVE", stage.image)
    actions = stage.cloud.member.get(f"{SERVERS}/{server_id}/os-instance-actions")["instanceActions"]
    assert actions[0]["message"] == f"Error: {NO_VALID_HOST} None is left after {constraint}."


@pytest.mark.parametrize(
    ("field", "value", "since"),
    [("description", "x", "2.19"), ("key_name", None, "2.54"), ("user_data", None, "2.57"), ("hostname", "x", "2.90")],
)
def test_rebuild__newer_fields__refused_before(
    stage: Stage, server_id: str, field: str, value: Any, since: str
) -> None:
    before = f"2.{int(since[2:]) - 1}"
    wish = {"imageRef": stage.image, field: value}
    stage.act(server_id, {"rebuild": wish}, version=before, status=400)
    stage.act(server_id, {"rebuild": wish}, version=since)
    wait_for_task_end(stage, server_id)


def test_rebuild__no_such_image_or_key__bad_request(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"rebuild": {"imageRef": "11111111-0000-4000-8000-000000000001"}}, status=400)
    stage.act(server_id, {"rebuild": {"imageRef": stage.image, "key_name": "none such"}}, status=400)
    stage.act(server_id, {"rebuild": {"name": "no image"}}, status=400)


def test_shelve__leaves_its_host_and_comes_back(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"shelve": None})
    shown = wait_for_rest(stage, server_id, "SHELVED_OFFLOADED")
    listed = stage.cloud.member.get(f"/image/v2/images?instance_uuid={server_id}")["images"]
    assert [one["name"] for one in listed] == [f"{shown['name']}-shelved"]
    stage.act(server_id, {"os-start": None}, status=409)
    stage.act(server_id, {"unshelve": None})
    stage.cloud.wait_for_status(server_id, "ACTIVE")
    wait_for_task_end(stage, server_id)
    assert stage.cloud.member.get(f"/image/v2/images?instance_uuid={server_id}")["images"] == []


def test_shelve__deleted__its_image_goes_with_it(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"shelve": None})
    stage.cloud.wait_for_status(server_id, "SHELVED_OFFLOADED")
    stage.cloud.member.delete(f"{SERVERS}/{server_id}", status=204)
    stage.cloud.wait_for_gone(server_id)
    assert stage.cloud.member.get(f"/image/v2/images?instance_uuid={server_id}")["images"] == []


def test_unshelve__destination__only_what_the_version_and_the_caller_may(stage: Stage, server_id: str) -> None:
    zone = {"availability_zone": "nova"}
    stage.act(server_id, {"unshelve": zone}, status=409)
    stage.act(server_id, {"shelve": None})
    stage.cloud.wait_for_status(server_id, "SHELVED_OFFLOADED")
    stage.act(server_id, {"unshelve": {}}, version="2.77", status=400)
    stage.act(server_id, {"unshelve": {**zone, "host": "x"}}, version="2.90", status=400)
    stage.act(server_id, {"unshelve": {"availability_zone": "no such zone"}}, status=400)
    stage.act(server_id, {"unshelve": {"host": "fake-00001"}}, status=403)
    stage.act(server_id, {"unshelve": {"host": "no-such-host"}}, who=stage.cloud.admin, status=400)
    stage.act(server_id, {"unshelve": zone}, version="2.77")
    stage.cloud.wait_for_status(server_id, "ACTIVE")


def test_shelve_offload__for_administrators_and_shelved_servers(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"shelveOffload": None}, status=403)
    stage.act(server_id, {"shelveOffload": None}, who=stage.cloud.admin, status=409)


def test_g5_create__with_a_hint_that_is_internal_to_nova__holds_what_every_server_holds(stage: Stage) -> None:
    server_id = stage.boot(hints={"_nova_check_type": ["rebuild"]})
    held = stage.cloud.admin.get(f"/placement/allocations/{server_id}")["allocations"]
    (resources,) = [one["resources"] for one in held.values()]
    assert resources["VCPU"] == 1
