"""Projects, users, roles, assignments, application credentials, catalog: who may do what, and what comes back."""

from pathlib import Path
from typing import Any

import pytest

from contract.services import PASSWORDS, Services, password_auth, project_scope, run, services


async def member(s: Services, method: str, path: str, status: int = 200, **body: Any) -> Any:
    response = await s.ask(method, f"/identity/v3{path}", await s.token("kilonova"), **body)
    assert response.status_code == status, response.text
    return response.json() if response.content else None


async def own(s: Services, user: str = "kilonova") -> tuple[str, str]:
    """Ids of a first user and its project."""
    caller = await s.identity.caller(await s.token(user))
    return caller.user_id, str(caller.project_id)


def test_project__whole_life(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            body = {"project": {"name": "p", "description": "d", "tags": ["x"], "colour": "red"}}
            made = (await s.admin("POST", "/projects", 201, json=body))["project"]
            assert (made["name"], made["enabled"], made["domain_id"], made["colour"]) == ("p", True, "default", "red")
            changed = await s.admin(
                "PATCH", f"/projects/{made['id']}", json={"project": {"name": "q", "enabled": False}}
            )
            assert (changed["project"]["name"], changed["project"]["enabled"]) == ("q", False)
            assert changed["project"]["colour"] == "red"
            assert (await s.admin("GET", f"/projects/{made['id']}"))["project"] == changed["project"]
            listed = await s.admin("GET", "/projects?name=q&enabled=False")
            assert listed["projects"] == [changed["project"]]
            assert listed["links"]["next"] is None
            assert (await s.admin("GET", "/projects?name=q&enabled=true"))["projects"] == []
            await s.admin("DELETE", f"/projects/{made['id']}", 204)
            await s.admin("GET", f"/projects/{made['id']}", 404)

    run(scenario())


def test_list__limit__first_ones_and_said_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            listed = await s.admin("GET", "/projects?limit=2")
            assert ([each["name"] for each in listed["projects"]], listed["truncated"]) == (["admin", "kilonova"], True)

    run(scenario())


@pytest.mark.parametrize("kind", ["project", "user", "role"])
def test_create__name_taken__conflict(tmp_path: Path, kind: str) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            refused = await s.admin("POST", f"/{kind}s", 409, json={kind: {"name": "admin"}})
            assert "Duplicate entry found with name admin" in refused["error"]["message"]

    run(scenario())


@pytest.mark.parametrize("kind", ["project", "user", "role"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": ""},
        {"name": " "},
        {"name": 7},
        {"name": None},
        {"name": "a\x00b"},
        {"name": "n" * 256},
        {"name": "a", "description": 4},
        {"name": "a", "description": "d" * 5000},
        {"name": "a", "domain_id": "other"},
        {"name": "a", "enabled": "yes", "domain_id": "x"},
        [],
        "x",
        None,
    ],
)
def test_create__bad_fields__bad_request(tmp_path: Path, kind: str, fields: Any) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            await s.admin("POST", f"/{kind}s", 400, json={kind: fields})

    run(scenario())


def test_user__whole_life(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            _, project = await own(s)
            body = {"user": {"name": "eve", "password": "pw", "email": "e@x", "default_project_id": project}}
            made = (await s.admin("POST", "/users", 201, json=body))["user"]
            assert "password" not in made
            assert "password_hash" not in made
            assert (made["email"], made["default_project_id"]) == ("e@x", project)
            assert [each["id"] for each in (await s.admin("GET", "/users?name=eve"))["users"]] == [made["id"]]
            assert (await s.admin("GET", f"/users/{made['id']}/groups"))["groups"] == []
            assert (await s.admin("GET", f"/users/{made['id']}/projects"))["projects"] == []
            await s.admin("DELETE", f"/users/{made['id']}", 204)
            await s.admin("GET", f"/users/{made['id']}", 404)

    run(scenario())


def test_user__changes_own_password__old_one_and_old_tokens_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            user, _ = await own(s)
            wrong = {"user": {"original_password": "wrong", "password": "new"}}
            await member(s, "POST", f"/users/{user}/password", 401, json=wrong)
            right = {"user": {"original_password": PASSWORDS["kilonova"], "password": "new"}}
            await s.admin("POST", f"/users/{user}/password", 403, json=right)
            await member(s, "POST", f"/users/{user}/password", 204, json=right)
            await member(s, "GET", "/auth/projects", 401)
            for password, status in ((PASSWORDS["kilonova"], 401), ("new", 201)):
                body = password_auth("kilonova", password)
                assert (await s.ask("POST", "/identity/v3/auth/tokens", json=body)).status_code == status

    run(scenario())


def test_member__sees_own_and_changes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            user, project = await own(s)
            admin, admins = await own(s, "admin")
            await member(s, "GET", f"/users/{user}")
            await member(s, "GET", f"/users/{user}/projects")
            await member(s, "GET", f"/projects/{project}")
            await member(s, "GET", "/domains/default")
            for path in (
                f"/users/{admin}",
                f"/projects/{admins}",
                "/users",
                "/projects",
                "/roles",
                "/role_assignments",
            ):
                await member(s, "GET", path, 403)
            for path in ("/services", "/endpoints", "/groups", f"/users/{admin}/application_credentials"):
                await member(s, "GET", path, 403)
            await member(s, "POST", "/users", 403, json={"user": {"name": "x"}})
            await member(s, "POST", "/projects", 403, json={"project": {"name": "x"}})
            await member(s, "PATCH", f"/projects/{project}", 403, json={"project": {"name": "x"}})
            await member(s, "DELETE", f"/users/{user}", 403)

    run(scenario())


def test_role_assignment__whole_life(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            user, project = await own(s)
            role = (await s.admin("POST", "/roles", 201, json={"role": {"name": "auditor"}}))["role"]["id"]
            path = f"/projects/{project}/users/{user}/roles"
            await s.admin("HEAD", f"{path}/{role}", 404)
            await s.admin("PUT", f"{path}/{role}", 204)
            await s.admin("PUT", f"{path}/{role}", 204)
            await s.admin("HEAD", f"{path}/{role}", 204)
            assert {each["name"] for each in (await s.admin("GET", path))["roles"]} == {"member", "auditor"}
            await s.admin("DELETE", f"{path}/{role}", 204)
            await s.admin("DELETE", f"{path}/{role}", 404)
            for missing in (
                f"/projects/{project}/users/{user}/roles/nope",
                f"/projects/nope/users/{user}/roles/{role}",
            ):
                await s.admin("PUT", missing, 404)
            await s.admin("PUT", f"/system/users/{user}/roles/{role}", 204)
            await s.admin("PUT", f"/domains/default/users/{user}/roles/{role}", 204)
            await s.admin("PUT", f"/domains/other/users/{user}/roles/{role}", 404)
            found = await s.admin("GET", f"/role_assignments?user.id={user}&include_names")
            scopes = [min(each["scope"]) for each in found["role_assignments"]]
            assert sorted(scopes) == ["domain", "project", "system"]
            await s.admin("DELETE", f"/roles/{role}", 204)
            left = (await s.admin("GET", f"/role_assignments?user.id={user}"))["role_assignments"]
            assert [sorted(each["scope"]) for each in left] == [["project"]]

    run(scenario())


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 5),
        ("?effective", 18),
        ("?scope.system=all", 1),
        ("?scope.domain.id=default", 1),
        ("?scope.project.id=nope", 0),
        ("?group.id=x", 0),
        ("?user.id={user}", 1),
        ("?user.id={user}&effective=true", 2),
        ("?user.id={user}&effective=false", 1),
    ],
)
def test_role_assignments__filters(tmp_path: Path, query: str, count: int) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            user, _ = await own(s)
            found = await s.admin("GET", f"/role_assignments{query.format(user=user)}")
            assert len(found["role_assignments"]) == count

    run(scenario())


def test_implied_roles__reach_tokens_and_no_circle(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            roles = {each["name"]: each["id"] for each in (await s.admin("GET", "/roles"))["roles"]}
            await s.admin("PUT", f"/roles/{roles['member']}/implies/{roles['service']}", 201)
            caller = await s.identity.caller(await s.token("kilonova"))
            assert caller.roles == ("member", "reader", "service")
            await s.admin("PUT", f"/roles/{roles['service']}/implies/{roles['member']}", 400)
            await s.admin("PUT", f"/roles/{roles['member']}/implies/{roles['admin']}", 403)
            implied = await s.admin("GET", f"/roles/{roles['member']}/implies")
            assert len(implied["role_inference"]["implies"]) == 2
            assert len((await s.admin("GET", "/role_inferences"))["role_inferences"]) == 3
            await s.admin("DELETE", f"/roles/{roles['member']}/implies/{roles['service']}", 204)
            assert (await s.identity.caller(await s.token("kilonova"))).roles == ("member", "reader")

    run(scenario())


async def make_credential(s: Services, **fields: Any) -> dict[str, Any]:
    user, _ = await own(s)
    body = {"application_credential": {"name": "robot", **fields}}
    made: dict[str, Any] = await member(s, "POST", f"/users/{user}/application_credentials", 201, json=body)
    return made["application_credential"]


async def credential_login(s: Services, credential: dict[str, Any], status: int = 201, **extra: Any) -> Any:
    details = {"id": credential["id"], "secret": credential["secret"]}
    identity = {"methods": ["application_credential"], "application_credential": details}
    response = await s.ask("POST", "/identity/v3/auth/tokens", json={"auth": {"identity": identity, **extra}})
    assert response.status_code == status, response.text
    return response


def test_application_credential__whole_life(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            user, project = await own(s)
            made = await make_credential(s, roles=[{"name": "reader"}])
            assert (made["project_id"], [role["name"] for role in made["roles"]]) == (project, ["reader"])
            shown = await member(s, "GET", f"/users/{user}/application_credentials/{made['id']}")
            assert "secret" not in shown["application_credential"]
            response = await credential_login(s, made)
            token = response.json()["token"]
            assert [role["name"] for role in token["roles"]] == ["reader"]
            assert token["application_credential"]["restricted"]
            assert (
                len((await member(s, "GET", f"/users/{user}/application_credentials"))["application_credentials"]) == 1
            )
            await member(s, "DELETE", f"/users/{user}/application_credentials/{made['id']}", 204)
            assert (
                await s.ask("GET", "/identity/v3/auth/projects", response.headers["X-Subject-Token"])
            ).status_code == 401
            await credential_login(s, made, 401)

    run(scenario())


def test_application_credential__restricted__makes_no_others_and_no_scope(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            user, _ = await own(s)
            made = await make_credential(s)
            token = (await credential_login(s, made)).headers["X-Subject-Token"]
            body = {"application_credential": {"name": "second"}}
            path = f"/identity/v3/users/{user}/application_credentials"
            assert (await s.ask("POST", path, token, json=body)).status_code == 403
            assert (await s.ask("DELETE", f"{path}/{made['id']}", token)).status_code == 403
            await credential_login(s, made, 401, scope=project_scope("kilonova"))
            rescope = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}}
            assert (await s.ask("POST", "/identity/v3/auth/tokens", json=rescope)).status_code == 401

    run(scenario())


def test_application_credential__expired__no_login_and_no_token(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            made = await make_credential(s, expires_at="2100-01-01T00:00:00.000000")
            token = (await credential_login(s, made)).headers["X-Subject-Token"]
            s.runtime.ahead_s = 80 * 365 * 86400.0
            await credential_login(s, made, 401)
            assert (await s.ask("GET", "/identity/v3/auth/projects", token)).status_code == 401

    run(scenario())


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_at": "2001-01-01T00:00:00"},
        {"expires_at": "soon"},
        {"roles": [{"name": "admin"}]},
        {"roles": [{}]},
        {"access_rules": [{"path": "/x"}]},
        {"name": ""},
        {"secret": ""},
    ],
)
def test_application_credential__bad_fields__bad_request(tmp_path: Path, fields: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            user, _ = await own(s)
            body = {"application_credential": {"name": "robot", **fields}}
            await member(s, "POST", f"/users/{user}/application_credentials", 400, json=body)

    run(scenario())


def test_application_credential__somebody_elses__neither_made_nor_seen(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            admin, _ = await own(s, "admin")
            made = await make_credential(s)
            body = {"application_credential": {"name": "robot"}}
            await member(s, "POST", f"/users/{admin}/application_credentials", 403, json=body)
            await s.admin("GET", f"/users/{admin}/application_credentials/{made['id']}", 404)

    run(scenario())


def test_catalog__read_only(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            assert len((await s.admin("GET", "/services"))["services"]) == 2
            service = (await s.admin("GET", "/services?type=image"))["services"][0]
            assert (await s.admin("GET", f"/services/{service['id']}"))["service"] == service
            endpoints = await s.admin("GET", f"/endpoints?service_id={service['id']}&interface=public")
            assert [each["url"] for each in endpoints["endpoints"]] == ["http://cloud.test/image"]
            assert (await s.admin("GET", "/regions"))["regions"][0]["id"] == "RegionOne"
            for kind in ("services", "endpoints", "regions"):
                await s.admin("POST", f"/{kind}", 403, json={})
                await s.admin("GET", f"/{kind}/nope", 404)

    run(scenario())


def test_domains_and_groups__what_there_is_and_clear_refusals(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            assert [each["id"] for each in (await s.admin("GET", "/domains"))["domains"]] == ["default"]
            await s.admin("GET", "/domains/other", 404)
            refused = await s.admin("POST", "/domains", 403, json={"domain": {"name": "x"}})
            assert "one domain" in refused["error"]["message"]
            assert (await s.admin("GET", "/groups"))["groups"] == []
            await s.admin("POST", "/groups", 403, json={"group": {"name": "x"}})

    run(scenario())


def test_versions__anybody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            root = await s.ask("GET", "/identity/")
            assert root.status_code == 300
            assert root.json()["versions"]["values"][0]["links"][0]["href"] == "http://cloud.test/identity/v3/"
            assert (await s.ask("GET", "/identity/v3/")).json()["version"]["status"] == "stable"

    run(scenario())


def test_open__second_time__keeps_what_was_changed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with services(tmp_path) as s:
            user, _ = await own(s)
            await s.admin("DELETE", f"/users/{user}", 204)
        async with services(tmp_path) as s:
            assert [each["name"] for each in (await s.admin("GET", "/users"))["users"]] == ["admin"]

    run(scenario())
