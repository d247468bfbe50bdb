"""Resize and cold migration over HTTP."""

from typing import Any

import pytest

from api.server_stage import NEWEST, Stage


@pytest.fixture
def server_id(stage: Stage) -> str:
    """An active server."""
    return stage.boot()


@pytest.fixture(scope="module")
def larger(stage: Stage) -> str:
    """A flavor that is larger than the stage's."""
    return stage.flavor_make("larger", vcpus=2, disk=2)


def waits(stage: Stage, server_id: str, flavor: str) -> None:
    """Resize a server, and wait until it is to be confirmed."""
    stage.act(server_id, {"resize": {"flavorRef": flavor}})
    stage.cloud.wait_for_status(server_id, "VERIFY_RESIZE")


def test_resize__confirmed__has_its_new_size(stage: Stage, server_id: str, larger: str) -> None:
    waits(stage, server_id, larger)
    assert stage.show(server_id)["flavor"]["original_name"] == "larger"
    stage.act(server_id, {"os-stop": None}, status=409)
    stage.act(server_id, {"confirmResize": None}, status=204)
    stage.cloud.wait_for_status(server_id, "ACTIVE")
    stage.act(server_id, {"confirmResize": None}, status=409)
    stage.act(server_id, {"revertResize": None}, status=409)


def test_resize__reverted__is_what_it_was(stage: Stage, server_id: str, larger: str) -> None:
    host = stage.show(server_id, who=stage.cloud.admin)["OS-EXT-SRV-ATTR:host"]
    waits(stage, server_id, larger)
    stage.act(server_id, {"revertResize": None})
    stage.cloud.wait_for_status(server_id, "ACTIVE")
    shown = stage.show(server_id, who=stage.cloud.admin)
    assert (shown["flavor"]["original_name"], shown["OS-EXT-SRV-ATTR:host"]) == ("tiny", host)


def test_resize__of_a_stopped_server__stays_stopped(stage: Stage, server_id: str, larger: str) -> None:
    stage.act(server_id, {"os-stop": None})
    stage.cloud.wait_for_status(server_id, "SHUTOFF")
    waits(stage, server_id, larger)
    stage.act(server_id, {"confirmResize": None}, status=204)
    stage.cloud.wait_for_status(server_id, "SHUTOFF")


def test_resize__flavor_by_number_and_disk_config__taken(stage: Stage, server_id: str) -> None:
    stage.flavor_make("numbered", id="77", vcpus=2)
    stage.act(server_id, {"resize": {"flavorRef": 77, "OS-DCF:diskConfig": "MANUAL"}})
    stage.cloud.wait_for_status(server_id, "VERIFY_RESIZE")
    assert stage.show(server_id)["OS-DCF:diskConfig"] == "MANUAL"


@pytest.mark.parametrize(
    "body",
    [None, {}, {"flavorRef": ""}, {"flavorRef": "no such flavor"}, {"flavorRef": "1", "more": 1}, {"flavorRef": []}],
    ids=str,
)
def test_resize__malformed__bad_request(stage: Stage, server_id: str, body: Any) -> None:
    stage.act(server_id, {"resize": body}, status=400)


def test_resize__to_the_same_size_or_a_smaller_disk__refused_with_a_reason(stage: Stage, server_id: str) -> None:
    same = stage.act(server_id, {"resize": {"flavorRef": stage.flavor}}, status=400)["badRequest"]["message"]
    assert same == "When resizing, instances must change flavor!"
    smaller = stage.flavor_make("diskless", disk=0)
    message = stage.act(server_id, {"resize": {"flavorRef": smaller}}, status=400)["badRequest"]["message"]
    assert "can't shrink to 0 GB" in message


def test_resize__beyond_the_quota__forbidden_and_nothing_is_counted(stage: Stage, server_id: str, larger: str) -> None:
    quotas = f"/compute/v2.1/os-quota-sets/{stage.cloud.member.project_id}"
    used = stage.cloud.member.get(f"{quotas}/detail")["quota_set"]["cores"]["in_use"]
    stage.cloud.admin.put(quotas, {"quota_set": {"cores": used}})
    try:
        message = stage.act(server_id, {"resize": {"flavorRef": larger}}, status=403)["forbidden"]["message"]
        assert "cores" in message
        assert stage.cloud.member.get(f"{quotas}/detail")["quota_set"]["cores"]["in_use"] == used
    finally:
        stage.cloud.admin.put(quotas, {"quota_set": {"cores": -1}})


def test_migrate__waits_to_be_confirmed_on_another_host(stage: Stage, server_id: str) -> None:
    admin = stage.cloud.admin
    host = stage.show(server_id, who=admin)["OS-EXT-SRV-ATTR:host"]
    stage.act(server_id, {"migrate": None}, who=admin)
    stage.cloud.wait_for_status(server_id, "VERIFY_RESIZE")
    assert stage.show(server_id, who=admin)["OS-EXT-SRV-ATTR:host"] != host
    stage.act(server_id, {"confirmResize": None}, status=204)
    stage.cloud.wait_for_status(server_id, "ACTIVE")
    stage.act(server_id, {"migrate": {"host": host}}, who=admin)
    stage.cloud.wait_for_status(server_id, "VERIFY_RESIZE")
    assert stage.show(server_id, who=admin)["OS-EXT-SRV-ATTR:host"] == host


def test_migrate__by_a_member__forbidden(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"migrate": None}, status=403)


def test_migrate__to_a_host_that_is_not_there_or_its_own__bad_request(stage: Stage, server_id: str) -> None:
    admin = stage.cloud.admin
    stage.act(server_id, {"migrate": {"host": "no-such-host"}}, who=admin, status=400)
    host = stage.show(server_id, who=admin)["OS-EXT-SRV-ATTR:host"]
    message = stage.act(server_id, {"migrate": {"host": host}}, who=admin, status=400)["badRequest"]["message"]
    assert message == "Cannot migrate to the host where the server exists."
    stage.act(server_id, {"migrate": {"host": 1}}, who=admin, status=400, version=NEWEST)
    stage.act(server_id, {"migrate": {"host": "not read before 2.56"}}, who=admin, version="2.55")


LIVE = {"host": None, "block_migration": "auto"}


def host_of(stage: Stage, server_id: str) -> str:
    return str(stage.show(server_id, who=stage.cloud.admin)["OS-EXT-SRV-ATTR:host"])


def test_live_migration__runs_on_another_host(stage: Stage, server_id: str) -> None:
    host = host_of(stage, server_id)
    stage.act(server_id, {"os-migrateLive": LIVE}, who=stage.cloud.admin)
    stage.cloud.wait_for(lambda: host_of(stage, server_id) != host, "the server to be elsewhere")
    stage.cloud.wait_for_status(server_id, "ACTIVE")


@pytest.mark.parametrize(
    ("version", "body"),
    [
        ("2.24", {"host": None, "block_migration": True}),
        ("2.24", {"host": None, "block_migration": "auto", "disk_over_commit": False}),
        ("2.25", {**LIVE, "disk_over_commit": False}),
        ("2.29", {**LIVE, "force": True}),
        ("2.68", {**LIVE, "force": True}),
        (NEWEST, {"host": None}),
        (NEWEST, {"block_migration": "auto"}),
        (NEWEST, {"host": None, "block_migration": "perhaps"}),
        (NEWEST, {"host": "no-such-host", "block_migration": "auto"}),
    ],
    ids=str,
)
def test_live_migration__malformed__bad_request(stage: Stage, server_id: str, version: str, body: Any) -> None:
    stage.act(server_id, {"os-migrateLive": body}, who=stage.cloud.admin, status=400, version=version)


def test_live_migration__by_a_member__forbidden(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"os-migrateLive": LIVE}, status=403)


def test_evacuate__host_is_up__conflict_and_says_what_to_do(stage: Stage, server_id: str) -> None:
    answer = stage.act(server_id, {"evacuate": {}}, who=stage.cloud.admin, status=409)
    assert "declare it down" in answer["conflictingRequest"]["message"]


@pytest.mark.parametrize(
    ("version", "body"),
    [
        ("2.13", {"host": "other"}),
        ("2.13", {"onSharedStorage": True, "adminPass": "x"}),
        ("2.14", {"onSharedStorage": True}),
        ("2.28", {"force": True}),
        ("2.68", {"force": True}),
        (NEWEST, {"host": "no-such-host"}),
        (NEWEST, {"more": 1}),
    ],
    ids=str,
)
def test_evacuate__malformed__bad_request(stage: Stage, server_id: str, version: str, body: Any) -> None:
    stage.act(server_id, {"evacuate": body}, who=stage.cloud.admin, status=400, version=version)


@pytest.mark.parametrize(("version", "status", "told"), [("2.13", "ACTIVE", True), (NEWEST, "SHUTOFF", False)])
def test_evacuate__host_declared_down__made_anew_elsewhere(
    stage: Stage, server_id: str, version: str, status: str, told: bool
) -> None:
    admin, host = stage.cloud.admin, host_of(stage, server_id)
    services = admin.get("/compute/v2.1/os-services", version=NEWEST)["services"]
    path = next(f"/compute/v2.1/os-services/{one['id']}" for one in services if one["host"] == host)
    admin.put(path, {"forced_down": True}, version=NEWEST)
    try:
        body = {"onSharedStorage": False} if version == "2.13" else {}
        answer = stage.act(server_id, {"evacuate": body}, who=admin, status=200, version=version)
        assert bool(answer and answer.get("adminPass")) is told
        stage.cloud.wait_for(lambda: host_of(stage, server_id) != host, "the server to be elsewhere")
        stage.cloud.wait_for_status(server_id, status)
    finally:
        admin.put(path, {"forced_down": False}, version=NEWEST)


def test_resize__to_a_flavor_whose_extra_specs_cannot_be_had__refused_by_name(stage: Stage, server_id: str) -> None:
    flavor = stage.flavor_make("ungrouped", vcpus=2)
    specs = {"extra_specs": {"trait1:CUSTOM_FAST": "required"}}
    stage.cloud.admin.post(f"/compute/v2.1/flavors/{flavor}/os-extra_specs", specs)
    message = stage.act(server_id, {"resize": {"flavorRef": flavor}}, status=400)["badRequest"]["message"]
    assert "trait1:CUSTOM_FAST=required" in message
