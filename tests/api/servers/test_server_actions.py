"""Actions on servers over HTTP."""

from typing import Any

import pytest

from api.server_stage import NEWEST, SERVERS, Stage


@pytest.fixture
def server_id(stage: Stage) -> str:
    """An active server."""
    return stage.boot()


def test_stop_and_start__there_and_back_and_not_twice(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"os-stop": None})
    stage.cloud.wait_for_status(server_id, "SHUTOFF")
    message = stage.act(server_id, {"os-stop": None}, status=409)["conflictingRequest"]["message"]
    assert message == f"Cannot 'stop' instance {server_id} while it is in vm_state stopped"
    stage.act(server_id, {"reboot": {"type": "SOFT"}}, status=409)
    stage.act(server_id, {"os-start": None})
    stage.cloud.wait_for_status(server_id, "ACTIVE")
    stage.act(server_id, {"os-start": None}, status=409)


@pytest.mark.parametrize("kind", ["SOFT", "soft", "HARD", "Hard"])
def test_reboot__either_kind__active_again(stage: Stage, server_id: str, kind: str) -> None:
    stage.act(server_id, {"reboot": {"type": kind}})
    shown = "REBOOT" if kind.upper() == "SOFT" else "HARD_REBOOT"
    assert stage.show(server_id)["status"] in {shown, "ACTIVE"}
    stage.cloud.wait_for_status(server_id, "ACTIVE")


@pytest.mark.parametrize("body", [None, {}, {"type": "WARM"}, {"type": None}, {"type": "SOFT", "more": 1}, []], ids=str)
def test_reboot__malformed__bad_request(stage: Stage, server_id: str, body: Any) -> None:
    stage.act(server_id, {"reboot": body}, status=400)


def test_lock__keeps_the_member_out_and_not_the_administrator(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"lock": {"locked_reason": "on air"}}, who=stage.cloud.admin)
    shown = stage.show(server_id)
    assert (shown["locked"], shown["locked_reason"]) == (True, "on air")
    path = f"{SERVERS}/{server_id}"
    member = stage.cloud.member
    message = stage.act(server_id, {"os-stop": None}, status=409)["conflictingRequest"]["message"]
    assert message == f"Instance {server_id} is locked"
    member.delete(path, status=409)
    member.put(f"{path}/metadata", {"metadata": {}}, status=409)
    stage.act(server_id, {"forceDelete": None}, status=409)
    assert "unlock_override" in stage.act(server_id, {"unlock": None}, status=403)["forbidden"]["message"]
    stage.act(server_id, {"os-stop": None}, who=stage.cloud.admin)
    stage.act(server_id, {"unlock": None}, who=stage.cloud.admin)
    stage.cloud.wait_for_status(server_id, "SHUTOFF")
    shown = stage.show(server_id)
    assert (shown["locked"], shown["locked_reason"]) == (False, None)
    stage.act(server_id, {"os-start": None})


def test_lock__by_its_owner__unlocked_by_its_owner(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"lock": None})
    assert stage.show(server_id)["locked_reason"] is None
    stage.act(server_id, {"lock": {"locked_reason": "later"}})
    assert stage.show(server_id)["locked_reason"] is None, "who locks first gives the reason"
    stage.act(server_id, {"unlock": None})
    assert not stage.show(server_id)["locked"]


@pytest.mark.parametrize("body", [{"locked_reason": ""}, {"locked_reason": "x" * 256}, {"reason": "x"}, "why"], ids=str)
def test_lock__malformed_reason__refused_since_273(stage: Stage, server_id: str, body: Any) -> None:
    stage.act(server_id, {"lock": body}, status=400)
    stage.act(server_id, {"lock": body}, version="2.72")
    assert stage.show(server_id)["locked_reason"] is None


def test_force_delete__gone(stage: Stage, server_id: str) -> None:
    stage.act(server_id, {"forceDelete": None})
    stage.cloud.wait_for_gone(server_id)


def test_console_output__last_lines(stage: Stage, server_id: str) -> None:
    everything = stage.act(server_id, {"os-getConsoleOutput": {}}, status=200)["output"]
    assert everything.count("\n") > 1
    for length in (1, "1"):
        last = stage.act(server_id, {"os-getConsoleOutput": {"length": length}}, status=200)["output"]
        assert last.strip("\n") == everything.strip("\n").splitlines()[-1]
    assert len(stage.act(server_id, {"os-getConsoleOutput": {"length": 2}}, status=200)["output"].split("\n")) == 2
    for length in (None, -1, "-1"):
        assert stage.act(server_id, {"os-getConsoleOutput": {"length": length}}, status=200)["output"] == everything
    for length in ("many", -2, 1.5, [], {}):
        stage.act(server_id, {"os-getConsoleOutput": {"length": length}}, status=400)
    stage.act(server_id, {"os-getConsoleOutput": None}, status=400)


def test_unknown_action__bad_request(stage: Stage, server_id: str) -> None:
    message = stage.act(server_id, {"dance": None}, status=400)["badRequest"]["message"]
    assert message == "There is no such action: dance"
    for body in ({}, [], "os-stop", {"os-stop": None, "os-start": None}):
        stage.act(server_id, body, status=400)


@pytest.mark.parametrize(
    ("action", "version", "status"),
    [
        ("addFixedIp", "2.44", 404),
        ("os-getVNCConsole", "2.5", 501),
        ("os-getVNCConsole", "2.6", 404),
        ("trigger_crash_dump", "2.16", 404),
        ("resetNetwork", NEWEST, 410),
    ],
)
def test_action_without_operation__says_so(
    stage: Stage, server_id: str, action: str, version: str, status: int
) -> None:
    answer = stage.act(server_id, {action: {}}, status=status, version=version)
    if status == 501:
        message = f"The action {action} is not available in this version of Kilonova."
        assert answer == {"notImplemented": {"code": 501, "message": message}}
