"""What was done to servers, over HTTP."""

import re

import pytest

from api.server_stage import NEWEST, SERVERS, Stage
from kilonova.scheduler.decide import NO_VALID_HOST

FIRST = {"action", "instance_uuid", "message", "project_id", "request_id", "start_time", "user_id"}


@pytest.fixture(scope="module")
def path(stage: Stage) -> str:
    """The actions of a server that was created, stopped and started."""
    server_id = stage.boot()
    for action, status in (("os-stop", "SHUTOFF"), ("os-start", "ACTIVE")):
        stage.act(server_id, {action: None})
        stage.cloud.wait_for_status(server_id, status)
    return f"{SERVERS}/{server_id}/os-instance-actions"


def test_list__newest_first(stage: Stage, path: str) -> None:
    actions = stage.cloud.member.get(path, version=NEWEST)["instanceActions"]
    assert [action["action"] for action in actions] == ["start", "stop", "create"]
    assert all(set(action) == FIRST | {"updated_at"} for action in actions)
    assert all(action["message"] is None for action in actions)
    old = stage.cloud.member.get(path, version="2.57")["instanceActions"]
    assert all(set(action) == FIRST for action in old)


def test_list__pages__follow_the_links(stage: Stage, path: str) -> None:
    member = stage.cloud.member
    first = member.get(f"{path}?limit=2", version="2.58")
    (link,) = first["links"]
    second = member.get(link["href"].removeprefix("http://kilonova.test"), version="2.58")
    names = [action["action"] for page in (first, second) for action in page["instanceActions"]]
    assert names == ["start", "stop", "create"]
    assert "links" not in second
    member.get(f"{path}?marker=req-nope", version="2.58", status=400)


def test_list__changed_since_and_before(stage: Stage, path: str) -> None:
    member = stage.cloud.member
    assert member.get(f"{path}?changes-since=2999-01-01T00:00:00Z", version="2.58")["instanceActions"] == []
    assert len(member.get(f"{path}?changes-before=2999-01-01T00:00:00Z", version="2.66")["instanceActions"]) == 3
    member.get(f"{path}?changes-before=2999-01-01T00:00:00Z", version="2.65", status=400)
    member.get(f"{path}?changes-since=yesterday", version="2.58", status=400)
    member.get(f"{path}?nope=1", version="2.58", status=400)
    assert len(member.get(f"{path}?nope=1&limit=1", version="2.57")["instanceActions"]) == 3


@pytest.mark.parametrize(
    ("version", "for_member", "for_admin"),
    [
        ("2.50", None, {"event", "start_time", "finish_time", "result", "traceback"}),
        (
            "2.51",
            {"event", "start_time", "finish_time", "result"},
            {"event", "start_time", "finish_time", "result", "traceback"},
        ),
        (
            "2.62",
            {"event", "start_time", "finish_time", "result", "hostId"},
            {"event", "start_time", "finish_time", "result", "traceback", "hostId", "host"},
        ),
        (
            "2.84",
            {"event", "start_time", "finish_time", "result", "hostId"},
            {"event", "start_time", "finish_time", "result", "traceback", "hostId", "host", "details"},
        ),
    ],
)
def test_show__events_by_version_and_right(
    stage: Stage, path: str, version: str, for_member: set[str] | None, for_admin: set[str]
) -> None:
    request_id = stage.cloud.member.get(path)["instanceActions"][0]["request_id"]
    action = stage.cloud.member.get(f"{path}/{request_id}", version=version)["instanceAction"]
    if for_member is None:
        assert "events" not in action
    else:
        assert action["events"]
        assert all(set(event) == for_member for event in action["events"])
        assert all(event["result"] == "Success" for event in action["events"])
    events = stage.cloud.admin.get(f"{path}/{request_id}", version=version)["instanceAction"]["events"]
    assert all(set(event) == for_admin for event in events)


def test_show__unknown_request__not_found(stage: Stage, path: str) -> None:
    fault = stage.cloud.member.get(f"{path}/req-nope", status=404)["itemNotFound"]
    assert fault["message"].startswith("Action for request_id req-nope on instance")


def test_list__deleted_server__since_221(stage: Stage) -> None:
    server_id = stage.boot()
    stage.cloud.member.delete(f"{SERVERS}/{server_id}")
    stage.cloud.wait_for_gone(server_id)
    path = f"{SERVERS}/{server_id}/os-instance-actions"
    stage.cloud.member.get(path, version="2.20", status=404)
    actions = stage.cloud.member.get(path, version="2.21")["instanceActions"]
    assert [action["action"] for action in actions] == ["delete", "create"]
    stage.cloud.other.get(path, version="2.21", status=404)


def test_show__boot_that_found_no_host__error_and_why_for_administrators(stage: Stage) -> None:
    huge = stage.flavor_make("huge", ram=1_000_000)
    server_id = stage.create(flavorRef=huge)["server"]["id"]
    stage.cloud.wait_for_status(server_id, "ERROR")
    path = f"{SERVERS}/{server_id}/os-instance-actions"
    (action,) = stage.cloud.member.get(path)["instanceActions"]
    safe = f"{NO_VALID_HOST} None is left after MEMORY_MB: 1000000."
    assert (action["action"], action["message"]) == ("create", f"Error: {safe}")
    path = f"{path}/{action['request_id']}"
    event = stage.cloud.admin.get(path, version="2.84")["instanceAction"]["events"][0]
    assert event["result"] == "Error"
    assert re.search(r"MEMORY_MB: 1000000 removed \d+ \(e\.g\. .+\)", event["details"])
    fault = stage.show(server_id)["fault"]
    assert (fault["code"], fault["message"]) == (500, safe)
    assert "details" not in fault
    assert "details" in stage.show(server_id, who=stage.cloud.admin)["fault"]
