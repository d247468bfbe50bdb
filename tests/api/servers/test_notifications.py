"""What others are told of a cloud, in a file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.server_stage import SERVERS, Stage
from cloud import TestCloud


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    path = tmp_path_factory.mktemp("cloud")
    tables = {"notifications": {"sink": "file", "file": str(path / "told.jsonl")}}
    with TestCloud(path / "state", tables=tables) as cloud:
        yield Stage(cloud)


def told(stage: Stage, last: str) -> list[dict[str, Any]]:
    """Everything that was told, once `last` was."""
    file = Path(str(stage.cloud.config.notifications.file))

    def arrived() -> Any:
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return lines if any(line["event_type"] == last for line in lines) else None

    found: list[dict[str, Any]] = stage.cloud.wait_for(arrived)
    return found


def test_life_of_a_server__told_in_order_and_in_openstacks_form(stage: Stage) -> None:
    server_id = stage.boot(name="web", tags=["blue"])
    stage.act(server_id, {"os-stop": None})
    stage.cloud.wait_for_status(server_id, "SHUTOFF")
    stage.act(server_id, {"lock": {"locked_reason": "mine"}})
    stage.act(server_id, {"unlock": None})
    stage.cloud.member.delete(f"{SERVERS}/{server_id}", status=204)
    lines = told(stage, "instance.delete.end")
    about = [one for one in lines if one["payload"]["nova_object.data"].get("uuid") == server_id]
    steps = [one["event_type"] for one in about if one["event_type"] != "instance.update"]
    assert steps == [
        "instance.create.start",
        "instance.create.end",
        "instance.power_off.start",
        "instance.power_off.end",
        "instance.lock",
        "instance.unlock",
        "instance.delete.start",
        "instance.delete.end",
    ]
    assert len({one["message_id"] for one in lines}) == len(lines)
    end = about[[one["event_type"] for one in about].index("instance.create.end")]
    assert (end["priority"], end["publisher_id"].partition(":")[0]) == ("INFO", "nova-compute")
    payload = end["payload"]
    assert (payload["nova_object.name"], payload["nova_object.namespace"]) == ("InstanceCreatePayload", "nova")
    data = payload["nova_object.data"]
    assert (data["display_name"], data["state"], data["task_state"], data["power_state"], data["tags"]) == (
        "web",
        "active",
        None,
        "running",
        ["blue"],
    )
    assert data["request_id"].startswith("req-")
    assert data["flavor"]["nova_object.data"]["memory_mb"] == 64


def test_failed_boot__error_with_its_reason(stage: Stage) -> None:
    huge = stage.flavor_make("huge", ram=1 << 30)
    server_id = stage.create(flavorRef=huge)["server"]["id"]
    stage.cloud.wait_for_status(server_id, "ERROR")
    (error,) = [one for one in told(stage, "instance.create.error") if one["event_type"] == "instance.create.error"]
    assert error["priority"] == "ERROR"
    fault = error["payload"]["nova_object.data"]["fault"]
    assert fault["nova_object.name"] == "ExceptionPayload"
    assert "No valid host" in fault["nova_object.data"]["exception_message"]


def test_other_nouns__each_told(stage: Stage) -> None:
    admin, member = stage.cloud.admin, stage.cloud.member
    flavor = stage.flavor_make("small")
    admin.post(f"/compute/v2.1/flavors/{flavor}/os-extra_specs", {"extra_specs": {"hw:x": "1"}})
    admin.delete(f"/compute/v2.1/flavors/{flavor}", status=202)
    aggregate = admin.post("/compute/v2.1/os-aggregates", {"aggregate": {"name": "a"}})["aggregate"]["id"]
    admin.delete(f"/compute/v2.1/os-aggregates/{aggregate}", status=200)
    member.post("/compute/v2.1/os-keypairs", {"keypair": {"name": "k"}})
    member.delete("/compute/v2.1/os-keypairs/k", status=202)
    group = {"server_group": {"name": "g", "policies": ["affinity"]}}
    group_id = member.post("/compute/v2.1/os-server-groups", group)["server_group"]["id"]
    member.delete(f"/compute/v2.1/os-server-groups/{group_id}", status=204)
    events = [one["event_type"] for one in told(stage, "server_group.delete")]
    for one in (
        "service.create",
        "flavor.create",
        "flavor.update",
        "flavor.delete",
        "aggregate.create.start",
        "aggregate.delete.end",
        "keypair.create.end",
        "keypair.delete.end",
        "server_group.create",
    ):
        assert one in events
