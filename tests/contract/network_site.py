"""The built-in network service for tests: in process, and served over real HTTP beside a log-in for its clients."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from kilonova.database.sqlite import SqliteDatabase
from kilonova.kernel.errors import NotAuthenticated
from kilonova.kernel.ids import ProjectId, UserId
from kilonova.objects.caller import Caller
from kilonova.runtime.real import RealRuntime
from kilonova.runtime.runtime import Runtime
from kilonova.standalone.network.service import StandaloneNetworks
from kilonova.standalone.network.store.quotas import DEFAULTS
from kilonova.standalone.network.tables import metadata
from kilonova.web.call import Call, Reply
from kilonova.web.mount import Mounts, not_found
from kilonova.web.routing import Body, Route
from kilonova.web.service import Dialect, Service

MEMBER = ("member", "reader")


def person(name: str, project: str | None, roles: tuple[str, ...]) -> Caller:
    project_id = None if project is None else ProjectId(project)
    return Caller(user_id=UserId(f"{name}-id"), user_name=name, project_id=project_id, roles=roles, token=name)


PEOPLE = {
    "admin": person("admin", "a" * 32, ("admin", *MEMBER)),
    "member": person("member", "b" * 32, MEMBER),
    "other": person("other", "c" * 32, MEMBER),
    "reader": person("reader", "b" * 32, ("reader",)),
    "nova": person("nova", "d" * 32, ("admin", "service", *MEMBER)),
    "unscoped": person("unscoped", None, ()),
}


class People:
    """Tokens are names."""

    async def caller(self, token: str) -> Caller:
        if token not in PEOPLE:
            raise NotAuthenticated
        return PEOPLE[token]


@dataclass
class Site:
    """The service, and a client that asks its API."""

    networks: StandaloneNetworks
    http: httpx.AsyncClient
    database: SqliteDatabase
    runtime: Runtime

    async def ask(self, method: str, path: str, body: Any = None, *, who: str = "member", status: int = 200) -> Any:
        """Ask `/v2.0` + `path`; the decoded answer, whose status must be the one given."""
        headers = {"X-Auth-Token": who} if who else {}
        sent = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        response = await self.http.request(method, f"/v2.0{path}", headers=headers, **sent)
        assert response.status_code == status, (response.status_code, response.text)
        return response.json() if response.content else None

    async def refusal(self, method: str, path: str, body: Any = None, *, who: str = "member", status: int) -> str:
        """The type of an error."""
        answer = await self.ask(method, path, body, who=who, status=status)
        error = answer["NeutronError"]
        assert set(error) == {"type", "message", "detail"}
        assert error["message"]
        return str(error["type"])

    async def network(self, *, who: str = "member", **attributes: Any) -> dict[str, Any]:
        body = {"network": {"name": "net", **attributes}}
        found: dict[str, Any] = (await self.ask("POST", "/networks", body, who=who, status=201))["network"]
        return found

    async def subnet(self, network_id: str, cidr: str, *, who: str = "member", **attributes: Any) -> dict[str, Any]:
        version = 6 if ":" in cidr else 4
        body = {"subnet": {"network_id": network_id, "cidr": cidr, "ip_version": version, **attributes}}
        found: dict[str, Any] = (await self.ask("POST", "/subnets", body, who=who, status=201))["subnet"]
        return found

    async def port(self, network_id: str, *, who: str = "member", **attributes: Any) -> dict[str, Any]:
        body = {"port": {"network_id": network_id, **attributes}}
        found: dict[str, Any] = (await self.ask("POST", "/ports", body, who=who, status=201))["port"]
        return found


@asynccontextmanager
async def network_site(
    directory: Path, *, limits: Mapping[str, int] | None = None, policy: Mapping[str, str] | None = None
) -> AsyncIterator[Site]:
    runtime = RealRuntime()
    database = SqliteDatabase("network", directory / "network.sqlite", runtime)
    await database.create(metadata)
    all_limits = {**DEFAULTS, **(limits or {})}
    networks = StandaloneNetworks(database, runtime, People(), policy=policy, limits=all_limits)
    app = Mounts({"/network": networks.service}, not_found("no such service"))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://cloud.test/network") as http:
        yield Site(networks, http, database, runtime)
    await database.close()


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[str]:
    """The service behind a real HTTP server, and its URL; one can log in there as any of the people."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        apps: dict[str, ASGIApp] = {"/network": site.networks.service, "/identity": _log_in(site.runtime)}
        config = uvicorn.Config(Mounts(apps, not_found("no such service")), lifespan="off", log_config=None, ws="none")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with httpx.AsyncClient() as http:
                assert (await http.get(f"{url}/network/")).status_code == 200
            yield url
        finally:
            server.should_exit = True
            await task


def _log_in(runtime: Runtime) -> Service:
    async def answer(call: Call) -> Reply:
        name = call.body["auth"]["identity"]["password"]["user"]["name"]
        token = {"expires_at": "2099-01-01T00:00:00.000000Z", "catalog": []}
        return Reply({"token": token}, 201, {"X-Subject-Token": name})

    route = Route(method="POST", path="/v3/auth/tokens", handler=answer, body=Body.JSON, public=True)
    return Service(
        Dialect(name="identity", error_body=lambda fault: (fault.message.encode(), "text/plain")),
        [route],
        People(),
        runtime,
    )
