"""Metadata of servers over HTTP."""

from typing import Any

import pytest

from api.server_stage import SERVERS, Stage


@pytest.fixture
def path(stage: Stage) -> str:
    """The metadata of an active server that has two items."""
    return f"{SERVERS}/{stage.boot(metadata={'a': '1', 'b': '2'})}/metadata"


def test_read__all_one_and_none(stage: Stage, path: str) -> None:
    member = stage.cloud.member
    assert member.get(path) == {"metadata": {"a": "1", "b": "2"}}
    assert member.get(f"{path}/a") == {"meta": {"a": "1"}}
    fault = member.get(f"{path}/c", status=404)["itemNotFound"]
    assert fault["message"] == "Metadata item was not found"


def test_change__add_replace_set_delete(stage: Stage, path: str) -> None:
    member = stage.cloud.member
    assert member.post(path, {"metadata": {"b": "3", "c": "4"}}) == {"metadata": {"a": "1", "b": "3", "c": "4"}}
    assert member.put(f"{path}/a", {"meta": {"a": "9"}}) == {"meta": {"a": "9"}}
    member.delete(f"{path}/a")
    member.delete(f"{path}/a", status=404)
    assert member.get(path) == {"metadata": {"b": "3", "c": "4"}}
    assert member.put(path, {"metadata": {"z": ""}}) == {"metadata": {"z": ""}}
    assert member.put(path, {"metadata": {}}) == {"metadata": {}}


@pytest.mark.parametrize(
    "items",
    [{"": "v"}, {"k" * 256: "v"}, {"k\n": "v"}, {"k": "v" * 256}, {"k": None}, {"k": 1}, [], None, "k"],
    ids=str,
)
def test_change__malformed__bad_request(stage: Stage, path: str, items: Any) -> None:
    for method in ("POST", "PUT"):
        assert stage.cloud.member.ask(method, path, {"metadata": items}).status_code == 400
    assert stage.cloud.member.ask("PUT", f"{path}/k", {"meta": items}).status_code == 400


def test_set__not_the_item_of_the_url__bad_request(stage: Stage, path: str) -> None:
    member = stage.cloud.member
    assert "mismatch" in member.put(f"{path}/a", {"meta": {"b": "1"}}, status=400)["badRequest"]["message"]
    member.put(f"{path}/a", {"meta": {"a": "1", "b": "1"}}, status=400)
    member.put(f"{path}/a", {"metadata": {"a": "1"}}, status=400)


def test_change__beyond_quota__forbidden_and_less_is_always_fine(stage: Stage, path: str) -> None:
    member = stage.cloud.member
    quota = f"/compute/v2.1/os-quota-sets/{member.project_id}"
    stage.cloud.admin.put(quota, {"quota_set": {"metadata_items": 1}})
    try:
        fault = member.post(path, {"metadata": {"c": "1"}}, status=403)["forbidden"]
        assert fault["message"] == "Maximum number of metadata items exceeds 1"
        member.put(path, {"metadata": {"c": "1", "d": "2"}})
        member.delete(f"{path}/c")
    finally:
        stage.cloud.admin.put(quota, {"quota_set": {"metadata_items": 128}})


def test_change__server_not_there_yet__conflict(stage: Stage) -> None:
    server_id = stage.create()["server"]["id"]
    answer = stage.cloud.member.ask("POST", f"{SERVERS}/{server_id}/metadata", {"metadata": {"a": "1"}})
    assert answer.status_code in {200, 409}
    if answer.status_code == 409:
        assert "vm_state building" in answer.json()["conflictingRequest"]["message"]
