"""What every identity client does: the built-in service in process, and Keystone's client.

Keystone's client runs against the built-in service over HTTP, and against a real Keystone where one is named in
KILONOVA_TEST_KEYSTONE_URL, with an administrator in KILONOVA_TEST_KEYSTONE_USER, _PASSWORD and _PROJECT.
"""

import base64
import json
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.services import PASSWORDS, password_auth, project_scope, run, served, services
from kilonova.clients.identity import Identity
from kilonova.clients.keystone import KeystoneIdentity
from kilonova.clients.session import Credentials, ServiceSession
from kilonova.kernel.errors import NotAuthenticated
from kilonova.runtime.real import RealRuntime


@dataclass
class Subject:
    """An identity client, and the Identity API behind it with its administrator."""

    identity: Identity
    http: httpx.AsyncClient
    user: str
    password: str
    project: str

    async def login(self, user: str, password: str, scope: Any = None) -> tuple[str, dict[str, Any]]:
        response = await self.http.post("/v3/auth/tokens", json=password_auth(user, password, scope))
        assert response.status_code == 201, response.text
        return response.headers["X-Subject-Token"], response.json()["token"]

    async def admin(self) -> tuple[str, dict[str, Any]]:
        return await self.login(self.user, self.password, project_scope(self.project))

    async def ask(self, method: str, path: str, status: int, headers: dict[str, str] | None = None, **body: Any) -> Any:
        token, _ = await self.admin()
        response = await self.http.request(method, path, headers={"X-Auth-Token": token, **(headers or {})}, **body)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    @asynccontextmanager
    async def new_user(self, role: str = "member") -> AsyncIterator[tuple[str, str]]:
        """A user for one test, with a role on the administrator's project; id and name."""
        name = f"contract-{uuid.uuid4().hex[:12]}"
        user = (await self.ask("POST", "/v3/users", 201, json={"user": {"name": name, "password": "pw"}}))["user"]
        roles = (await self.ask("GET", f"/v3/roles?name={role}", 200))["roles"]
        project_id = (await self.admin())[1]["project"]["id"]
        await self.ask("PUT", f"/v3/projects/{project_id}/users/{user['id']}/roles/{roles[0]['id']}", 204)
        yield user["id"], name
        await self.ask("DELETE", f"/v3/users/{user['id']}", 204)


@asynccontextmanager
async def standalone(directory: Path) -> AsyncIterator[Subject]:
    async with services(directory) as running:
        transport = httpx.ASGITransport(app=running.identity.service)
        async with httpx.AsyncClient(transport=transport, base_url="http://identity.test") as http:
            yield Subject(running.identity, http, "admin", PASSWORDS["admin"], "admin")


@asynccontextmanager
async def keystone_client(url: str, user: str, password: str, project: str) -> AsyncIterator[Subject]:
    runtime = RealRuntime()
    account = Credentials(auth_url=url, username=user, password=password, project_name=project)
    identity = KeystoneIdentity(ServiceSession(account, runtime), runtime, cache_s=0.0)
    async with httpx.AsyncClient(base_url=url.removesuffix("/").removesuffix("/v3")) as http:
        yield Subject(identity, http, user, password, project)
    await identity.close()


@asynccontextmanager
async def over_http(directory: Path) -> AsyncIterator[Subject]:
    async with (
        served(directory) as (_, url),
        keystone_client(f"{url}/identity", "admin", PASSWORDS["admin"], "admin") as subject,
    ):
        yield subject


@asynccontextmanager
async def real_keystone(_directory: Path) -> AsyncIterator[Subject]:
    user = os.environ.get("KILONOVA_TEST_KEYSTONE_USER", "admin")
    project = os.environ.get("KILONOVA_TEST_KEYSTONE_PROJECT", "admin")
    password = os.environ["KILONOVA_TEST_KEYSTONE_PASSWORD"]
    async with keystone_client(os.environ["KILONOVA_TEST_KEYSTONE_URL"], user, password, project) as subject:
        yield subject


Scenario = Callable[[Subject], Awaitable[None]]
Judge = Callable[[Scenario], None]


@pytest.fixture(params=["standalone", "keystone client", pytest.param("real keystone", marks=pytest.mark.interop)])
def judge(request: pytest.FixtureRequest, tmp_path: Path) -> Judge:
    """Runs a scenario on one of the implementations."""
    if request.param == "real keystone" and "KILONOVA_TEST_KEYSTONE_URL" not in os.environ:
        pytest.skip("KILONOVA_TEST_KEYSTONE_URL names no Keystone")
    opened = {"standalone": standalone, "keystone client": over_http, "real keystone": real_keystone}[request.param]

    def judged(scenario: Scenario) -> None:
        async def in_subject() -> None:
            async with opened(tmp_path) as subject:
                await scenario(subject)

        run(in_subject())

    return judged


def test_caller__project_token__tells_user_project_and_roles(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        async with subject.new_user() as (user_id, name):
            token, document = await subject.login(name, "pw", project_scope(subject.project))
            caller = await subject.identity.caller(token)
            assert (caller.user_id, caller.user_name) == (user_id, name)
            assert (caller.user_domain_id, caller.user_domain_name) == ("default", "Default")
            assert (caller.project_id, caller.project_name) == (document["project"]["id"], subject.project)
            assert (caller.project_domain_id, caller.project_domain_name) == ("default", "Default")
            assert not caller.system_scope
            assert caller.token == token
            assert caller.expires_at > RealRuntime().now()

    judge(scenario)


def test_caller__member__has_the_implied_role_reader(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        async with subject.new_user("member") as (_, name):
            token, _ = await subject.login(name, "pw", project_scope(subject.project))
            assert sorted((await subject.identity.caller(token)).roles) == ["member", "reader"]

    judge(scenario)


def test_caller__unscoped_token__has_no_project_and_no_roles(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        token, _ = await subject.login(subject.user, subject.password, {"unscoped": {}})
        caller = await subject.identity.caller(token)
        assert (caller.project_id, caller.roles, caller.system_scope) == (None, (), False)

    judge(scenario)


def test_caller__system_token__says_so(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        token, _ = await subject.login(subject.user, subject.password, {"system": {"all": True}})
        caller = await subject.identity.caller(token)
        assert caller.system_scope
        assert caller.project_id is None
        assert "admin" in caller.roles

    judge(scenario)


def test_caller__no_token_of_this_cloud__is_not_authenticated(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        token, _ = await subject.admin()
        parts = ({"alg": "none"}, {"jti": "a", "sub": "b", "iat": 0, "exp": 9e9})
        unsigned = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts) + "."
        for forged in ("", "x", token[:-6], f"{token}x", unsigned, "é", "a\nb", "t" * 20_000):
            with pytest.raises(NotAuthenticated):
                await subject.identity.caller(forged)

    judge(scenario)


def test_caller__token_revoked__is_not_authenticated(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        token, _ = await subject.admin()
        await subject.identity.caller(token)
        await subject.ask("DELETE", "/v3/auth/tokens", 204, {"X-Subject-Token": token})
        with pytest.raises(NotAuthenticated):
            await subject.identity.caller(token)

    judge(scenario)


def test_caller__user_disabled__is_not_authenticated(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        async with subject.new_user() as (user_id, name):
            token, _ = await subject.login(name, "pw", project_scope(subject.project))
            await subject.identity.caller(token)
            await subject.ask("PATCH", f"/v3/users/{user_id}", 200, json={"user": {"enabled": False}})
            with pytest.raises(NotAuthenticated):
                await subject.identity.caller(token)

    judge(scenario)


def test_project_exists__own_and_unknown_ones__told_apart(judge: Judge) -> None:
    async def scenario(subject: Subject) -> None:
        _, document = await subject.admin()
        assert await subject.identity.project_exists(document["project"]["id"])
        for unknown in (uuid.uuid4().hex, "../users", "", "a b", "%00"):
            assert not await subject.identity.project_exists(unknown)

    judge(scenario)
