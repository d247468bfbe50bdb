"""Tags of servers over HTTP."""

from typing import Any

import pytest

from api.server_stage import NEWEST, SERVERS, Stage


@pytest.fixture
def path(stage: Stage) -> str:
    """The tags of an active server that has two."""
    return f"{SERVERS}/{stage.boot(tags=['a', 'b'])}/tags"


def test_read__all_and_one(stage: Stage, path: str) -> None:
    member = stage.cloud.member
    assert member.get(path, version="2.26") == {"tags": ["a", "b"]}
    member.get(f"{path}/a", version="2.26", status=204)
    fault = member.get(f"{path}/c", version="2.26", status=404)["itemNotFound"]
    assert fault["message"].endswith("has no tag 'c'")
    member.get(f"{path}?nope=1", version=NEWEST)


def test_before_226__not_found(stage: Stage, path: str) -> None:
    assert "itemNotFound" in stage.cloud.member.get(path, version="2.25", status=404)


def test_change__add_replace_delete(stage: Stage, path: str) -> None:
    member = stage.cloud.member
    answer = member.ask("PUT", f"{path}/new one", version=NEWEST)
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"{path}/new%20one")
    member.put(f"{path}/new one", status=204, version=NEWEST)
    member.delete(f"{path}/a", version=NEWEST)
    member.delete(f"{path}/a", version=NEWEST, status=404)
    assert member.put(path, {"tags": ["z", "y", "z"]}, version=NEWEST) == {"tags": ["y", "z"]}
    member.delete(path, version=NEWEST)
    assert member.get(path, version=NEWEST) == {"tags": []}


@pytest.mark.parametrize(
    "tags", [[""], ["a/b"], ["a,b"], ["x" * 61], [1], "a", None, [str(n) for n in range(51)]], ids=str
)
def test_replace__malformed__bad_request(stage: Stage, path: str, tags: Any) -> None:
    stage.cloud.member.put(path, {"tags": tags}, version=NEWEST, status=400)


@pytest.mark.parametrize("body", [None, [], {}, {"tags": [], "more": 1}, "tags"], ids=str)
def test_replace__other_body__bad_request(stage: Stage, path: str, body: Any) -> None:
    stage.cloud.member.put(path, body, version=NEWEST, status=400)


def test_add__malformed_or_too_many__bad_request(stage: Stage, path: str) -> None:
    member = stage.cloud.member
    member.put(f"{path}/{'x' * 61}", version=NEWEST, status=400)
    member.put(f"{path}/a,b", version=NEWEST, status=400)
    member.put(path, {"tags": [str(n) for n in range(50)]}, version=NEWEST)
    fault = member.put(f"{path}/one-more", version=NEWEST, status=400)["badRequest"]
    assert fault["message"] == "The number of tags exceeded the per-server limit 50"
