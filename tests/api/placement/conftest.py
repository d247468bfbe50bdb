"""A Placement API without a socket, and a client of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kilonova.database.sqlite import SqliteDatabase
from kilonova.kernel.errors import NotAuthenticated
from kilonova.objects.caller import Caller
from kilonova.placement import tables
from kilonova.placement.api.service import PlacementService
from kilonova.runtime.real import RealRuntime


class KnownTokens:
    """Tokens that say who they are."""

    async def caller(self, token: str) -> Caller:
        if token == "system":
            return Caller(user_id="u", user_name=token, system_scope=True, roles=("admin",))
        if token not in {"admin", "service", "reader"}:
            raise NotAuthenticated
        return Caller(user_id="u", user_name=token, project_id="p1", roles=(token,))


class Client:
    """Asks as an administrator at the newest version, unless told otherwise."""

    def __init__(self, http: httpx.AsyncClient, run: Callable[[Awaitable[Any]], Any]) -> None:
        self._http, self._run = http, run

    def ask(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        version: str = "1.39",
        token: str = "admin",
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        sent = {"OpenStack-API-Version": f"placement {version}", "X-Auth-Token": token, **(headers or {})}
        return self._run(self._http.request(method, path, json=json, content=content, headers=sent))

    def provider(self, uuid: str, name: str, **inventories: dict[str, Any]) -> None:
        assert self.ask("POST", "/resource_providers", {"uuid": uuid, "name": name}).status_code == 200
        body = {"resource_provider_generation": 0, "inventories": inventories}
        answer = self.ask("PUT", f"/resource_providers/{uuid}/inventories", body)
        assert answer.status_code == 200, answer.text


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Client]:
    with asyncio.Runner() as runner:

        async def start() -> tuple[SqliteDatabase, httpx.AsyncClient]:
            runtime = RealRuntime()
            database = SqliteDatabase("placement", tmp_path / "placement.sqlite", runtime)
            await database.create(tables.metadata)
            service = PlacementService(database, KnownTokens(), runtime)
            transport = httpx.ASGITransport(service, root_path="/placement")
            return database, httpx.AsyncClient(transport=transport, base_url="http://cloud")

        database, http = runner.run(start())
        yield Client(http, runner.run)
        runner.run(http.aclose())
        runner.run(database.close())
