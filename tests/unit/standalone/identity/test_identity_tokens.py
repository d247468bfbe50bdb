"""Tokens: issue, validate, revoke, and what makes them worthless."""

import base64
import json
import logging
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest

from contract.services import PASSWORDS, Services, password_auth, project_scope, run, services
from kilonova.standalone.identity.claims import Claims, read, sign

TOKENS = "/identity/v3/auth/tokens"


async def issue(s: Services, body: Any, status: int = 201) -> Any:
    response = await s.ask("POST", TOKENS, json=body)
    assert response.status_code == status, response.text
    return response


async def validate(s: Services, token: str, status: int = 200, by: str | None = None) -> Any:
    response = await s.ask("GET", TOKENS, by or await s.token(), {"X-Subject-Token": token})
    assert response.status_code == status, response.text
    return response.json()


async def new_user(s: Services, name: str = "eve", role: str = "member", project: str = "kilonova") -> str:
    user_id: str = (await s.admin("POST", "/users", 201, json={"user": {"name": name, "password": "pw"}}))["user"]["id"]
    project_id = (await s.admin("GET", f"/projects?name={project}"))["projects"][0]["id"]
    role_id = (await s.admin("GET", f"/roles?name={role}"))["roles"][0]["id"]
    await s.admin("PUT", f"/projects/{project_id}/users/{user_id}/roles/{role_id}", 204)
    return user_id


def test_issue__password_and_project_by_name__token_with_roles_and_catalog(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            response = await issue(s, password_auth("kilonova", PASSWORDS["kilonova"], project_scope("kilonova")))
            token = response.json()["token"]
            assert token["methods"] == ["password"]
            assert token["user"]["name"] == "kilonova"
            assert token["project"]["name"] == "kilonova"
            assert [role["name"] for role in token["roles"]] == ["member", "reader"]
            assert {entry["type"] for entry in token["catalog"]} == {"identity", "image"}
            assert {each["interface"] for each in token["catalog"][0]["endpoints"]} == {"public", "internal", "admin"}
            assert len(token["audit_ids"]) == 1
            assert token["expires_at"].endswith("Z")

    run(scenario())


def test_issue__no_scope__default_project(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            token = (await issue(s, password_auth("admin", PASSWORDS["admin"]))).json()["token"]
            assert token["project"]["name"] == "admin"

    run(scenario())


def test_issue__unscoped_system_and_domain__what_was_asked(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            unscoped = (await issue(s, password_auth("admin", PASSWORDS["admin"], {"unscoped": {}}))).json()["token"]
            assert not {"project", "roles", "catalog", "system"} & set(unscoped)
            system = (await issue(s, password_auth("admin", PASSWORDS["admin"], {"system": {"all": True}}))).json()
            assert system["token"]["system"] == {"all": True}
            domain = (await issue(s, password_auth("admin", PASSWORDS["admin"], {"domain": {"id": "default"}}))).json()
            assert domain["token"]["domain"] == {"id": "default", "name": "Default"}

    run(scenario())


def test_issue__nocatalog__none(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            response = await s.ask("POST", f"{TOKENS}?nocatalog", json=password_auth("admin", PASSWORDS["admin"]))
            assert "catalog" not in response.json()["token"]

    run(scenario())


@pytest.mark.parametrize(
    ("user", "password", "scope"),
    [
        ("admin", "wrong", None),
        ("nobody", "secret", None),
        ("kilonova", PASSWORDS["kilonova"], project_scope("admin")),
        ("kilonova", PASSWORDS["kilonova"], project_scope("nowhere")),
        ("kilonova", PASSWORDS["kilonova"], {"project": {"id": "x" * 32}}),
        ("kilonova", PASSWORDS["kilonova"], {"system": {"all": True}}),
        ("kilonova", PASSWORDS["kilonova"], {"domain": {"name": "Other"}}),
        ("kilonova", PASSWORDS["kilonova"], {"project": {"name": "kilonova", "domain": {"id": "other"}}}),
    ],
)
def test_issue__wrong_or_without_access__unauthorized(tmp_path: Path, user: str, password: str, scope: Any) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            response = await issue(s, password_auth(user, password, scope), 401)
            assert response.json()["error"]["code"] == 401
            assert response.headers["WWW-Authenticate"].startswith("Keystone uri=")

    run(scenario())


BAD_BODIES: list[Any] = [
    None,
    [],
    "auth",
    {"auth": None},
    {"auth": {}},
    {"auth": {"identity": {"methods": []}}},
    {"auth": {"identity": {"methods": ["password"]}}},
    {"auth": {"identity": {"methods": ["__class__"], "password": {}}}},
    {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "a", "password": "b"}}}}},
    {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": 5, "password": "b"}}}}},
    {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": "5", "password": ["b"]}}}}},
    {"auth": {"identity": {"methods": ["saml2"], "saml2": {}}}},
    {"auth": {"identity": {"methods": ["application_credential"], "application_credential": {"secret": "s"}}}},
    password_auth("admin", PASSWORDS["admin"], {"project": {"name": "admin"}}),
    password_auth("admin", PASSWORDS["admin"], {"OS-TRUST:trust": {"id": "x"}}),
    password_auth("admin", PASSWORDS["admin"], {"system": {"all": False}}),
    password_auth("admin", PASSWORDS["admin"], {"system": {"all": True}, "unscoped": {}}),
    password_auth("admin", PASSWORDS["admin"], "everything"),
]


@pytest.mark.parametrize("body", BAD_BODIES)
def test_issue__malformed_body__bad_request(tmp_path: Path, body: Any) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            await issue(s, body, 400)

    run(scenario())


def test_issue__by_token__same_end_and_audit_chain(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            first = (await issue(s, password_auth("admin", PASSWORDS["admin"], {"unscoped": {}}))).json()["token"]
            parent = await s.token()
            document = await validate(s, parent)
            auth = {"identity": {"methods": ["token"], "token": {"id": parent}}, "scope": project_scope("kilonova")}
            token = (await issue(s, {"auth": auth})).json()["token"]
            assert token["expires_at"] == document["token"]["expires_at"]
            assert token["audit_ids"][1] == document["token"]["audit_ids"][0]
            assert token["methods"] == ["password", "token"]
            assert token["audit_ids"][0] != first["audit_ids"][0]

    run(scenario())


def test_validate__own_token__without_privilege(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            own = await s.token("kilonova")
            assert (await validate(s, own, by=own))["token"]["user"]["name"] == "kilonova"
            head = await s.ask("HEAD", TOKENS, own, {"X-Subject-Token": own})
            assert (head.status_code, head.headers["X-Subject-Token"]) == (200, own)

    run(scenario())


def test_validate__somebody_elses__forbidden_to_members(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            await validate(s, await s.token("admin"), 403, by=await s.token("kilonova"))
            await validate(s, "nonsense", 403, by=await s.token("kilonova"))

    run(scenario())


def test_validate__expired__not_found_and_no_caller(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            token = await s.token("kilonova")
            await validate(s, token)
            s.runtime.ahead_s = 12 * 3600 + 1
            s.tokens.clear()
            await validate(s, token, 404)
            assert (await s.ask("GET", "/identity/v3/auth/projects", token)).status_code == 401

    run(scenario())


def test_revoke__token__worthless_and_others_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            first = await s.token("kilonova")
            s.tokens.clear()
            second = await s.token("kilonova")
            response = await s.ask("DELETE", TOKENS, first, {"X-Subject-Token": first})
            assert response.status_code == 204
            await validate(s, first, 404)
            await validate(s, second)

    run(scenario())


def test_revoke__restart__still_revoked(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            revoked, kept = await s.token("kilonova"), await s.token("admin")
            await s.ask("DELETE", TOKENS, revoked, {"X-Subject-Token": revoked})
        async with services(tmp_path) as s:
            await validate(s, revoked, 404, by=kept)
            await validate(s, kept, by=kept)

    run(scenario())


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PATCH", "/users/{user}", {"user": {"enabled": False}}, 200),
        ("PATCH", "/users/{user}", {"user": {"password": "new"}}, 200),
        ("DELETE", "/users/{user}", None, 204),
        ("PATCH", "/projects/{project}", {"project": {"enabled": False}}, 200),
        ("DELETE", "/projects/{project}", None, 204),
        ("DELETE", "/projects/{project}/users/{user}/roles/{role}", None, 204),
    ],
)
def test_validate__what_it_rests_on_is_gone__worthless(
    tmp_path: Path, method: str, path: str, body: Any, status: int
) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            user = await new_user(s)
            document = await issue(s, password_auth("eve", "pw", project_scope("kilonova")))
            token = document.headers["X-Subject-Token"]
            await validate(s, token)
            role = (await s.admin("GET", "/roles?name=member"))["roles"][0]["id"]
            filled = path.format(user=user, project=document.json()["token"]["project"]["id"], role=role)
            await s.admin(method, filled, status, **({"json": body} if body else {}))
            await validate(s, token, 404)

    run(scenario())


def test_validate__user_enabled_again__old_tokens_stay_worthless(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            user = await new_user(s)
            token = (await issue(s, password_auth("eve", "pw", project_scope("kilonova")))).headers["X-Subject-Token"]
            await s.admin("PATCH", f"/users/{user}", json={"user": {"enabled": False}})
            await issue(s, password_auth("eve", "pw"), 401)
            await s.admin("PATCH", f"/users/{user}", json={"user": {"enabled": True}})
            await validate(s, token, 404)
            await issue(s, password_auth("eve", "pw", project_scope("kilonova")))

    run(scenario())


def forged_tokens(token: str) -> list[str]:
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    raised = base64.urlsafe_b64encode(json.dumps({**claims, "sys": True}).encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    return [
        "",
        ".",
        "..",
        "a.b.c",
        token + "x",
        token[:-4],
        f"{header}.{raised}.{signature}",
        f"{none}.{payload}.",
        f"{none}.{payload}.{signature}",
        jwt.encode(claims, "k" * 64, algorithm="HS256"),
        jwt.encode(claims, "k" * 64, algorithm="HS512"),
        "\xff\xfe",
        "t" * 5000,
    ]


def test_tokens__read_and_made_elsewhere_with_the_same_secret__the_same() -> None:
    ours = Claims(
        audit_id="a", user_id="u", series=1, issued_at=1.5, expires_at=9e9, methods=("password",), project_id="p"
    )
    token = sign(ours, "k" * 64)
    theirs = jwt.decode(token, "k" * 64, algorithms=["HS256"])
    assert msgspec.convert(theirs, Claims) == ours
    assert read(jwt.encode(theirs, "k" * 64, algorithm="HS256"), "k" * 64) == ours


def test_caller__forged_tokens__unauthorized_never_more(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            for forged in forged_tokens(await s.token()):
                headers = {"X-Auth-Token": forged.encode("latin-1")}
                response = await s.http.get("/identity/v3/users", headers=headers)
                assert response.status_code == 401, forged

    run(scenario())


def test_tokens__whole_life__never_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> str:
        async with services(tmp_path) as s:
            token = await s.token("kilonova")
            await validate(s, token)
            await s.ask("DELETE", TOKENS, token, {"X-Subject-Token": token})
            await validate(s, token, 404)
            return token

    with caplog.at_level(logging.DEBUG):
        token = run(scenario())
    assert caplog.records
    assert token not in caplog.text
    assert token.split(".")[2] not in caplog.text


def test_auth_paths__what_the_owner_may_reach(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            admin, member = await s.token("admin"), await s.token("kilonova")

            async def names(path: str, token: str, key: str) -> list[str]:
                response = await s.ask("GET", f"/identity/v3/auth/{path}", token)
                assert response.status_code == 200
                return [each["name"] for each in response.json()[key]]

            assert await names("projects", admin, "projects") == ["admin", "kilonova"]
            assert await names("projects", member, "projects") == ["kilonova"]
            assert await names("domains", admin, "domains") == ["Default"]
            assert await names("domains", member, "domains") == []
            assert await names("catalog", member, "catalog") == ["keystone", "glance"]
            system = await s.ask("GET", "/identity/v3/auth/system", admin)
            assert system.json()["system"] == [{"all": True}]

    run(scenario())
