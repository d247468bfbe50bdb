"""Pausing, suspending, rescuing, passwords, crash dumps and resets over HTTP."""

from typing import Any

import pytest

from api.server_stage import SERVERS, Stage

PAIRS = [
    ("pause", "PAUSED", "unpause"),
    ("suspend", "SUSPENDED", "resume"),
    ("rescue", "RESCUE", "unrescue"),
]
ALL = ["pause", "unpause", "suspend", "resume", "rescue", "unrescue", "restore", "trigger_crash_dump", "changePassword"]


@pytest.fixture(scope="module")
def server_id(stage: Stage) -> str:
    """An active server; tests leave it active."""
    return stage.boot()


def wait_for_rest(stage: Stage, server_id: str, status: str) -> None:
    stage.cloud.wait_for(
        lambda: (one := stage.show(server_id))["status"] == status and one["OS-EXT-STS:task_state"] is None, status
    )


def body_of(action: str) -> dict[str, Any]:
    return {action: {"adminPass": "a new one"} if action == "changePassword" else None}


@pytest.mark.parametrize("version", ["2.1", "2.104"])
@pytest.mark.parametrize(("there", "status", "back"), PAIRS)
def test_there_and_back__and_not_twice(
    stage: Stage, server_id: str, there: str, status: str, back: str, version: str
) -> None:
    stage.act(server_id, {back: None}, version=version, status=409)
    stage.act(server_id, {there: None}, version=version, status=200 if there == "rescue" else 202)
    wait_for_rest(stage, server_id, status)
    stage.act(server_id, {there: None}, version=version, status=409)
    stage.act(server_id, {back: None}, version=version)
    wait_for_rest(stage, server_id, "ACTIVE")


@pytest.mark.parametrize("action", ALL)
def test_locked__member_is_refused(stage: Stage, server_id: str, action: str) -> None:
    stage.act(server_id, {"lock": None}, who=stage.cloud.admin)
    stage.act(server_id, body_of(action), status=409)
    stage.act(server_id, {"unlock": None}, who=stage.cloud.admin)


@pytest.mark.parametrize("action", ALL)
def test_others__not_found_and_readers_forbidden(stage: Stage, server_id: str, action: str) -> None:
    stage.act(server_id, body_of(action), who=stage.cloud.other, status=404)
    stage.act(server_id, body_of(action), who=stage.cloud.reader, status=403)


def test_rescue__says_the_password(stage: Stage, server_id: str) -> None:
    said = stage.act(server_id, {"rescue": {"adminPass": "tell nobody", "rescue_image_ref": stage.image}}, status=200)
    assert said == {"adminPass": "tell nobody"}
    wait_for_rest(stage, server_id, "RESCUE")
    stage.act(server_id, {"os-stop": None}, status=409)
    stage.act(server_id, {"unrescue": None})
    wait_for_rest(stage, server_id, "ACTIVE")


@pytest.mark.parametrize("wish", [{"adminPass": 1}, {"rescue_image_ref": "x"}, {"more": 1}, "why"], ids=str)
def test_rescue__malformed__bad_request(stage: Stage, server_id: str, wish: Any) -> None:
    stage.act(server_id, {"rescue": wish}, status=400)


def test_crash_dump__since_217(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"trigger_crash_dump": None}, version="2.16", status=404)
    stage.act(server_id, {"trigger_crash_dump": None}, version="2.17")
    wait_for_rest(stage, server_id, "ACTIVE")


@pytest.mark.parametrize("wish", [None, {}, {"adminPass": None}, {"adminPass": "x", "more": 1}], ids=str)
def test_change_password__malformed__bad_request(stage: Stage, server_id: str, wish: Any) -> None:
    stage.act(server_id, {"changePassword": wish}, status=400)


@pytest.mark.parametrize("version", ["2.1", "2.104"])
def test_reset_state__there_and_back_by_administrators_only(stage: Stage, server_id: str, version: str) -> None:
    stage.act(server_id, {"os-resetState": {"state": "error"}}, version=version, status=403)
    for state, status in (("error", "ERROR"), ("active", "ACTIVE")):
        wish = {"os-resetState": {"state": state}}
        stage.act(server_id, wish, who=stage.cloud.admin, version=version)
        wait_for_rest(stage, server_id, status)
    path = f"{SERVERS}/{server_id}/os-instance-actions"
    assert stage.cloud.member.get(path)["instanceActions"][0]["action"] == "resetState"


def test_reset_state__answered__the_server_can_be_acted_on(stage: Stage, server_id: str) -> None:
    for state, status in (("error", "ERROR"), ("active", "ACTIVE")):
        stage.act(server_id, {"os-resetState": {"state": state}}, who=stage.cloud.admin)
        shown = stage.show(server_id)
        assert (shown["status"], shown["OS-EXT-STS:task_state"]) == (status, None)


@pytest.mark.parametrize("wish", [None, {}, {"state": "gone"}, {"state": "active", "more": 1}], ids=str)
def test_reset_state__malformed__bad_request(stage: Stage, server_id: str, wish: Any) -> None:
    stage.act(server_id, {"os-resetState": wish}, who=stage.cloud.admin, status=400)


def test_reset_state__of_a_locked_server__not_kept_from_it(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"lock": None})
    for state, status in (("error", "ERROR"), ("active", "ACTIVE")):
        stage.act(server_id, {"os-resetState": {"state": state}}, who=stage.cloud.admin)
        wait_for_rest(stage, server_id, status)
    stage.act(server_id, {"unlock": None})


@pytest.mark.parametrize("version", ["2.1", "2.104"])
def test_change_password__image_says_nothing_of_an_agent__conflict(stage: Stage, server_id: str, version: str) -> None:
    refusal = stage.act(server_id, {"changePassword": {"adminPass": "a new one"}}, version=version, status=409)
    assert "QEMU guest agent is not enabled" in refusal["conflictingRequest"]["message"]


def test_change_password__guest_with_an_agent__set(stage: Stage) -> None:
    one = stage.boot(imageRef=stage.image_make("with-agent", hw_qemu_guest_agent="yes"))
    stage.act(one, {"changePassword": {"adminPass": "a new one"}})
    wait_for_rest(stage, one, "ACTIVE")
    (latest, *_) = stage.cloud.member.get(f"{SERVERS}/{one}/os-instance-actions")["instanceActions"]
    assert (latest["action"], latest["message"]) == ("changePassword", None)
