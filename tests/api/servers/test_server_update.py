"""Showing, updating and deleting servers, and who may."""

from typing import Any

import pytest

from api.server_stage import NEWEST, SERVERS, Stage

UNKNOWN = "6a7b1f8e-7bd0-4d8b-9d5b-3d3f6c1c00ff"


@pytest.fixture(scope="module")
def server_id(stage: Stage) -> str:
    """A server of the member's project."""
    return stage.boot(name="web", metadata={"role": "front"})


def update(stage: Stage, server_id: str, status: int = 200, version: str = NEWEST, **fields: Any) -> Any:
    answer = stage.cloud.member.put(f"{SERVERS}/{server_id}", {"server": fields}, status=status, version=version)
    return answer["server"] if status == 200 else next(iter(answer.values()))["message"]


def test_update__everything__shown_at_once_and_later(stage: Stage, server_id: str) -> None:
    wish: dict[str, Any] = {
        "name": "shop",
        "accessIPv4": "192.0.2.7",
        "accessIPv6": "2001:db8::7",
        "OS-DCF:diskConfig": "AUTO",
        "description": "new",
    }
    answer = update(stage, server_id, hostname="shop.example.org", **wish)
    assert {key: answer[key] for key in wish} == wish
    assert answer["OS-EXT-SRV-ATTR:hostname"] == "shop.example.org"
    assert set(answer) == set(stage.show(server_id))
    assert update(stage, server_id, description=None)["description"] is None


def test_update__nothing__nothing_changes(stage: Stage, server_id: str) -> None:
    before = stage.show(server_id)
    assert update(stage, server_id)["name"] == before["name"]


@pytest.mark.parametrize(
    ("field", "value", "since"),
    [
        ("description", "d", 19),
        ("hostname", "h", 90),
        ("hostname", "h.example.org", 94),
        ("pinned_availability_zone", None, 104),
    ],
)
def test_update__field_of_a_later_version__refused(
    stage: Stage, server_id: str, field: str, value: str | None, since: int
) -> None:
    assert field in update(stage, server_id, 400, f"2.{since - 1}", **{field: value})
    update(stage, server_id, 200, f"2.{since}", **{field: value})


def test_update__pinned_zone__unpinned_and_pinned_where_it_is(stage: Stage) -> None:
    pinned = stage.boot(name="pinned", availability_zone="nova")
    assert update(stage, pinned, pinned_availability_zone=None)["pinned_availability_zone"] is None
    assert update(stage, pinned, pinned_availability_zone="nova")["pinned_availability_zone"] == "nova"
    assert "can be pinned to no other" in update(stage, pinned, 409, pinned_availability_zone="mars")


@pytest.mark.parametrize(
    "fields",
    [{"name": ""}, {"name": None}, {"accessIPv4": "x"}, {"OS-DCF:diskConfig": "x"}, {"hostname": "a_b"}, {"nope": 1}],
    ids=str,
)
def test_update__malformed__bad_request(stage: Stage, server_id: str, fields: dict[str, Any]) -> None:
    update(stage, server_id, 400, **fields)


def test_update__while_it_is_nowhere_yet__kept(stage: Stage) -> None:
    young = stage.create(name="young")["server"]["id"]
    assert update(stage, young, name="renamed")["name"] == "renamed"
    stage.cloud.wait_for_status(young, "ACTIVE")
    assert stage.show(young)["name"] == "renamed"


def test_show__by_others__as_if_it_were_not_there(stage: Stage, server_id: str) -> None:
    fault = stage.cloud.other.get(f"{SERVERS}/{server_id}", status=404)["itemNotFound"]
    assert fault == {"code": 404, "message": f"Instance {server_id} could not be found."}
    for method, path, body in (
        ("PUT", "", {"server": {}}),
        ("DELETE", "", None),
        ("POST", "/action", {"os-stop": None}),
        ("GET", "/metadata", None),
        ("GET", "/ips", None),
        ("GET", "/os-instance-actions", None),
        ("PUT", "/metadata", {"metadata": {}}),
    ):
        answer = stage.cloud.other.ask(method, f"{SERVERS}/{server_id}{path}", body, version="2.1")
        assert answer.status_code == 404, f"{method} {path}"
    assert stage.cloud.admin.get(f"{SERVERS}/{server_id}")["server"]["id"] == server_id


def test_show__reader_sees_and_changes_nothing(stage: Stage, server_id: str) -> None:
    reader = stage.cloud.reader
    assert reader.get(f"{SERVERS}/{server_id}")["server"]["id"] == server_id
    for method, path, body in (
        ("PUT", "", {"server": {}}),
        ("DELETE", "", None),
        ("POST", "/action", {"os-stop": None}),
        ("POST", "/action", {"os-getConsoleOutput": {}}),
        ("PUT", "/metadata", {"metadata": {}}),
    ):
        assert reader.ask(method, f"{SERVERS}/{server_id}{path}", body).status_code == 403, f"{method} {path}"


@pytest.mark.parametrize("server_id", [UNKNOWN, "1", "..%2f", "%00", "x" * 3000, "💥", UNKNOWN + "'--"])
def test_show__no_such_id__not_found(stage: Stage, server_id: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/metadata"), ("GET", "/os-instance-actions")):
        assert stage.cloud.member.ask(method, f"{SERVERS}/{server_id}{path}", version=NEWEST).status_code == 404


def test_delete__gone_for_everybody_and_only_once(stage: Stage) -> None:
    doomed = stage.boot(name="doomed")
    stage.cloud.member.delete(f"{SERVERS}/{doomed}")
    stage.cloud.wait_for_gone(doomed)
    stage.cloud.member.delete(f"{SERVERS}/{doomed}", status=404)


def test_delete__while_it_is_nowhere_yet__gone(stage: Stage) -> None:
    young = stage.create(name="young")["server"]["id"]
    stage.cloud.member.delete(f"{SERVERS}/{young}")
    stage.cloud.wait_for_gone(young)


def test_show__unknown_parameters__refused_since_2102(stage: Stage, server_id: str) -> None:
    stage.cloud.member.get(f"{SERVERS}/{server_id}?nope=1", version="2.101")
    stage.cloud.member.get(f"{SERVERS}/{server_id}?nope=1", version="2.102", status=400)


def test_links__project_in_the_url__also_in_the_links(stage: Stage, server_id: str) -> None:
    member = stage.cloud.member
    server = member.get(f"/compute/v2.1/{member.project_id}/servers/{server_id}")["server"]
    own, bookmark = (link["href"] for link in server["links"])
    assert own.endswith(f"/compute/v2.1/{member.project_id}/servers/{server_id}")
    assert bookmark.endswith(f"/compute/{member.project_id}/servers/{server_id}")


def test_token__scoped_to_no_project__forbidden(stage: Stage, server_id: str) -> None:
    user = {"name": "kilonova", "domain": {"id": "default"}, "password": stage.cloud.passwords["kilonova"]}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": "unscoped"}
    answer = stage.cloud.nobody.ask("POST", "/identity/v3/auth/tokens", {"auth": auth})
    token = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    for method, path, body in (
        ("GET", SERVERS, None),
        ("POST", SERVERS, stage.wish()),
        ("GET", f"{SERVERS}/{server_id}", None),
        ("DELETE", f"{SERVERS}/{server_id}", None),
    ):
        refused = stage.cloud.nobody.ask(method, path, body, headers=token, version=NEWEST)
        assert refused.status_code == 403, f"{method} {path}: {refused.text}"
