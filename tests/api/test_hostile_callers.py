"""Callers who are not who they say, or ask for what is not theirs."""

import base64
import json
from collections.abc import Callable

import pytest

from api.hostile import Hostile, judge
from api.hostile_corpus import CORPUS, Asking
from cloud import Asker
from kilonova.api.service import routes

OWNED = (
    "/identity/v3/users/<user>",
    "/identity/v3/users/<user>/application_credentials",
    "/identity/v3/users/<user>/application_credentials/<credential>",
    "/identity/v3/projects/<project>/users/<user>/roles",
    "/image/v2/images/<image>",
    "/image/v2/images/<image>/file",
    "/image/v2/images/<image>/members",
    "/image/v2/images/<image>/tags/t",
    "/image/v2/images/<image>/actions/deactivate",
    "/network/v2.0/networks/<network>",
    "/network/v2.0/networks/<network>/tags",
    "/network/v2.0/networks/<network>/tags/t",
    "/network/v2.0/subnets/<subnet>",
    "/network/v2.0/subnets/<subnet>/tags",
    "/network/v2.0/ports/<port>",
    "/network/v2.0/ports/<port>/tags",
    "/network/v2.0/security-groups/<security_group>",
    "/network/v2.0/security-group-rules/<rule>",
    "/network/v2.0/quotas/<project>",
    "/placement/resource_providers/<provider>",
    "/placement/resource_providers/<provider>/inventories",
    "/placement/allocations/<server>",
    "/compute/v2.1/flavors/<private_flavor>",
    "/compute/v2.1/os-server-groups/<group>",
    "/compute/v2.1/os-quota-sets/<project>",
    "/compute/v2.1/os-aggregates/<aggregate>",
    "/compute/v2.1/os-services/<service>",
)
"""What belongs to the member's project, or to administrators."""

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def _server_paths(hostile: Hostile) -> list[tuple[str, str, str | None]]:
    """Every route below a server: method, path, and the action where it is one."""
    found = []
    for route in routes(hostile.cloud.cloud.compute):
        head, _, rest = route.path.partition("}")
        if head in {"/servers/{id", "/servers/{server_id"}:
            for name in ("key", "network", "tag", "request_id", "id"):
                rest = rest.replace(f"{{{name}}}", "k")
            found.append((route.method, f"/compute/v2.1/servers/<server>{rest}", route.action))
    return found


def test_routes_of_a_server__another_project__nothing_there_and_nothing_done(hostile: Hostile) -> None:
    before = hostile.state()
    bodies = {asking.path: asking.body for asking in CORPUS}
    asked = _server_paths(hostile)
    assert len(asked) > 60
    for caller in (hostile.cloud.other, hostile.cloud.nobody):
        for method, path, action in asked:
            body = {action: {}} if action else bodies.get(path, {})
            answer = judge(hostile.ask(method, hostile.filled(path), json.dumps(body).encode(), caller=caller))
            assert answer.status in {400, 401, 403, 404, 410, 501}, f"{answer.asked}: {answer.status}"
            assert method != "GET" or answer.status in {401, 403, 404, 410}, f"{answer.asked}: {answer.status}"
    assert hostile.state() == before


@pytest.mark.parametrize("path", OWNED)
def test_what_is_owned__another_project__neither_shown_nor_changed(hostile: Hostile, path: str) -> None:
    before = hostile.state()
    bodies = {(asking.method, asking.path): asking for asking in CORPUS}
    for caller in (hostile.cloud.other, hostile.cloud.nobody):
        for method in METHODS:
            valid = bodies.get((method, path))
            body = hostile.filled(json.dumps(valid.body if valid else {})).encode()
            media = [("Content-Type", valid.media_type)] if valid else []
            answer = judge(hostile.ask(method, hostile.filled(path), body, headers=media, caller=caller))
            refusals = {401, 403, 404, 405} if method in {"GET", "DELETE"} or valid else {400, 401, 403, 404, 405, 415}
            assert answer.status in refusals, f"{answer.asked}: {answer.status} {answer.content[:200]!r}"
    assert hostile.state() == before


@pytest.mark.parametrize("asking", CORPUS, ids=lambda asking: f"{asking.method} {asking.path}")
def test_valid_requests__reader_of_another_project__change_nothing_of_others(hostile: Hostile, asking: Asking) -> None:
    """What names things of the member's project is refused in whatever request it stands."""
    body = json.dumps(asking.body)
    if "<" not in body and "<" not in asking.path:
        return
    before = hostile.state()
    media = [("Content-Type", asking.media_type)]
    answer = judge(
        hostile.ask(
            asking.method,
            hostile.filled(asking.path),
            hostile.filled(body).encode(),
            headers=media,
            caller=hostile.cloud.other,
        )
    )
    assert answer.status in {400, 403, 404, 409}, f"{answer.asked}: {answer.status}"
    assert hostile.state() == before


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _flipped(token: str, at: int) -> str:
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]


FORGERIES: dict[str, Callable[[str, str], str]] = {
    "empty": lambda _member, _admin: " ",
    "truncated": lambda member, _admin: member[:-8],
    "half": lambda member, _admin: member[: len(member) // 2],
    "longer": lambda member, _admin: f"{member}AAAA",
    "twice": lambda member, _admin: member + member,
    "other signature": lambda member, admin: member[: len(member) // 2] + admin[len(admin) // 2 :],
    "first letter": lambda member, _admin: _flipped(member, 0),
    "middle letter": lambda member, _admin: _flipped(member, len(member) // 2),
    "letter before the last": lambda member, _admin: _flipped(member, len(member) - 3),
    "capitals": lambda member, _admin: member.swapcase(),
    "no algorithm": lambda _member, _admin: _encoded(b'{"alg":"none"}') + "." + _encoded(b'{"sub":"admin"}') + ".",
    "words": lambda _member, _admin: "admin",
    "dots": lambda _member, _admin: "." * 50,
    "numbers": lambda _member, _admin: "0" * 32,
    "not base64": lambda member, _admin: f"!{member[1:]}",
    "NULs": lambda _member, _admin: "\x00" * 64,
    "quotes": lambda _member, _admin: "' OR 1=1 --",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_tokens__forged__worth_nothing_anywhere(hostile: Hostile, forge: Callable[[str, str], str]) -> None:
    cloud = hostile.cloud
    assert cloud.member.token is not None
    assert cloud.admin.token is not None
    forged = Asker(cloud, forge(cloud.member.token, cloud.admin.token))
    for path in ("/identity/v3/projects", "/image/v2/images", "/network/v2.0/ports", "/placement/traits"):
        assert judge(hostile.ask("GET", path, caller=forged)).status == 401
    answer = judge(hostile.ask("GET", hostile.filled("/compute/v2.1/servers/<server>"), caller=forged))
    assert answer.status == 401
    subject = [("X-Subject-Token", forged.token or "")]
    assert judge(hostile.ask("GET", "/identity/v3/auth/tokens", headers=subject)).status == 404
    assert judge(hostile.ask("DELETE", "/identity/v3/auth/tokens", headers=subject)).status == 404


def test_tokens__every_letter_changed__worth_nothing(hostile: Hostile) -> None:
    """But for the last one, of which only some bits count."""
    token = hostile.cloud.member.token
    assert token is not None
    for at in range(len(token) - 1):
        forged = Asker(hostile.cloud, _flipped(token, at))
        assert hostile.ask("GET", "/compute/v2.1/servers", caller=forged).status == 401, at


def test_tokens__revoked__worth_nothing_at_once(hostile: Hostile) -> None:
    login = {
        "identity": {
            "methods": ["password"],
            "password": {"user": {"name": "other", "domain": {"id": "default"}, "password": "other-password"}},
        },
        "scope": {"project": {"name": "other", "domain": {"id": "default"}}},
    }
    issued = hostile.ask("POST", "/identity/v3/auth/tokens", json.dumps({"auth": login}).encode())
    guest = Asker(hostile.cloud, issued.headers["x-subject-token"])
    paths = ("/compute/v2.1/servers", "/network/v2.0/ports", "/image/v2/images", "/identity/v3/auth/projects")
    assert {hostile.ask("GET", path, caller=guest).status for path in paths} == {200}
    revoke = [("X-Subject-Token", guest.token or "")]
    assert hostile.ask("DELETE", "/identity/v3/auth/tokens", headers=revoke, caller=guest).status == 204
    assert {hostile.ask("GET", path, caller=guest).status for path in paths} == {401}
