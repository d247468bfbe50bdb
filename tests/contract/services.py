"""The built-in identity and image services for tests: in process, and served over real HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvicorn
from starlette.types import ASGIApp

from kilonova.database.sqlite import SqliteDatabase
from kilonova.runtime.real import RealRuntime
from kilonova.standalone.identity import tables as identity_tables
from kilonova.standalone.identity.context import CatalogEntry
from kilonova.standalone.identity.passwords import HashCost
from kilonova.standalone.identity.service import StandaloneIdentity, open_identity
from kilonova.standalone.image import tables as image_tables
from kilonova.standalone.image.service import StandaloneImages, open_images
from kilonova.web.mount import Mounts, not_found

T = TypeVar("T")

PASSWORDS = {"admin": "admin's secret", "kilonova": "kilonova's secret"}
CHEAP = HashCost(time_cost=1, memory_kib=8)
BASE_URL = "http://cloud.test"


class MovableClock(RealRuntime):
    """The real runtime, with a clock that tests may move."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


@dataclass
class Services:
    """Both services of one cloud, and a client that asks them."""

    identity: StandaloneIdentity
    images: StandaloneImages
    runtime: MovableClock
    app: ASGIApp
    http: httpx.AsyncClient
    directory: Path
    tokens: dict[str, str] = field(default_factory=dict)

    async def ask(
        self,
        method: str,
        path: str,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> httpx.Response:
        sent = {**({"X-Auth-Token": token} if token else {}), **(headers or {})}
        return await self.http.request(method, path, headers=sent, **body)

    async def token(self, user: str = "admin", project: str | None = None) -> str:
        """A token of one of the first users, for its first project or another."""
        key = f"{user} {project}"
        if key not in self.tokens:
            self.tokens[key] = await log_in(self.http, "/identity", user, PASSWORDS[user], project or user)
        return self.tokens[key]

    async def admin(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        """Ask the identity service as administrator; the decoded answer, whose status must be the one given."""
        response = await self.ask(method, f"/identity/v3{path}", await self.token(), **body)
        assert response.status_code == status, response.text
        return response.json() if response.content else None


def run(work: Coroutine[Any, Any, T], within_s: float = 60) -> T:
    """Run a test's scenario, within a bound."""

    async def bounded() -> T:
        return await asyncio.wait_for(work, within_s)

    return asyncio.run(bounded())


def password_auth(user: str, password: str, scope: Any = None) -> dict[str, Any]:
    """A body of POST /v3/auth/tokens."""
    person = {"name": user, "domain": {"id": "default"}, "password": password}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": person}}}
    return {"auth": auth if scope is None else {**auth, "scope": scope}}


def project_scope(name: str) -> dict[str, Any]:
    return {"project": {"name": name, "domain": {"id": "default"}}}


async def log_in(http: httpx.AsyncClient, prefix: str, user: str, password: str, project: str) -> str:
    body = password_auth(user, password, project_scope(project))
    response = await http.post(f"{prefix}/v3/auth/tokens", json=body)
    assert response.status_code == 201, response.text
    return response.headers["X-Subject-Token"]


@asynccontextmanager
async def services(directory: Path, base_url: str = BASE_URL, **image_options: Any) -> AsyncIterator[Services]:
    """Both services on databases in `directory`."""
    runtime = MovableClock()
    identity_database = SqliteDatabase("identity", directory / "identity.db", runtime)
    image_database = SqliteDatabase("image", directory / "image.db", runtime)
    await identity_database.create(identity_tables.metadata)
    await image_database.create(image_tables.metadata)
    catalog = [
        CatalogEntry("identity", "keystone", f"{base_url}/identity/v3"),
        CatalogEntry("image", "glance", f"{base_url}/image"),
    ]
    identity = await open_identity(
        identity_database,
        runtime,
        url=f"{base_url}/identity",
        catalog=catalog,
        passwords=PASSWORDS,
        hash_cost=CHEAP,
    )
    images = await open_images(
        image_database, runtime, identity, url=f"{base_url}/image", directory=directory / "contents", **image_options
    )
    app = Mounts({"/identity": identity.service, "/image": images.service}, not_found("no such service"))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=base_url) as http:
        yield Services(identity, images, runtime, app, http, directory)
    await identity_database.close()
    await image_database.close()


@asynccontextmanager
async def served(directory: Path) -> AsyncIterator[tuple[Services, str]]:
    """Both services behind a real HTTP server on a free port, and its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with services(directory, url) as running:
            config = uvicorn.Config(running.app, lifespan="off", log_config=None, ws="none")
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                async with httpx.AsyncClient() as http:
                    assert (await http.get(f"{url}/identity/v3")).status_code == 200
                yield running, url
            finally:
                server.should_exit = True
                await task
