"""A whole cloud inside a test: wired like the real one, on the fake driver, without a socket.

    def test_show__other_project__not_found(cloud: TestCloud) -> None:
        server = cloud.member.post("/compute/v2.1/servers", {"server": {...}}, status=202)["server"]
        cloud.wait_for_status(server["id"], "ACTIVE")
        cloud.other.get(f"/compute/v2.1/servers/{server['id']}", status=404)

The fixtures `cloud` (one for each test) and `shared_cloud` (one for each module, for tests that leave nothing behind that
would disturb the next) are in `conftest.py`. For other shapes:

    with TestCloud(tmp_path, hosts=50, cells=2, tables={"api": {"max_limit": 5}}) as cloud: ...

Who asks: `admin` (administrator), `member` and `reader` (of project `kilonova`), `other` (member of project `other`), `nobody`
(no token). Each has `get`, `post`, `put`, `patch`, `delete`, which check the status and return the decoded body; `ask`
returns the whole `httpx.Response`. `version="2.79"` sets the microversion of the service that the path begins with.

Between calls the cloud stands still: its tasks run while a call or a `wait_for...` runs. `cloud.run(coroutine)` runs anything
on its loop, `cloud.restart()` stops it and starts it anew on the same state directory.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from kilonova.app.clouds_yaml import passwords
from kilonova.app.config import Config
from kilonova.app.config_sources import load
from kilonova.app.state import open_state
from kilonova.app.wiring import Cloud, build
from kilonova.clients.volume import Volumes
from kilonova.runtime.real import RealRuntime

T = TypeVar("T")

URL = "http://kilonova.test"
PATIENCE_S = 20.0
POLL_S = 0.005
CHEAP_HASHES = {"hash_time_cost": 1, "hash_memory_kib": 8}


class Asker:
    """One user of the cloud."""

    def __init__(self, cloud: "TestCloud", token: str | None, project_id: str | None = None) -> None:
        self.token = token
        self.project_id = project_id
        self._cloud = cloud

    def ask(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        version: str | None = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """One request, any answer. `options` as for httpx: `params`, `content`, ..."""
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("X-Auth-Token", self.token)
        if version is not None:
            sent["OpenStack-API-Version"] = f"{path.split('/')[1]} {version}"
        if json is not None:
            options["json"] = json
        return self._cloud.run(self._cloud.http.request(method, path, headers=sent, **options))

    def get(self, path: str, *, status: int = 200, **options: Any) -> Any:
        return self._checked("GET", path, None, status, options)

    def post(self, path: str, json: Any = None, *, status: int = 200, **options: Any) -> Any:
        return self._checked("POST", path, json, status, options)

    def put(self, path: str, json: Any = None, *, status: int = 200, **options: Any) -> Any:
        return self._checked("PUT", path, json, status, options)

    def patch(self, path: str, json: Any = None, *, status: int = 200, **options: Any) -> Any:
        return self._checked("PATCH", path, json, status, options)

    def delete(self, path: str, *, status: int = 204, **options: Any) -> Any:
        return self._checked("DELETE", path, None, status, options)

    def _checked(self, method: str, path: str, json: Any, status: int, options: dict[str, Any]) -> Any:
        answer = self.ask(method, path, json, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        is_json = answer.content and answer.headers.get("content-type", "").startswith("application/")
        return answer.json() if is_json and "json" in answer.headers["content-type"] else answer.content


class TestCloud:
    """A cloud that runs as long as its `with` block."""

    __test__ = False

    def __init__(
        self,
        path: Path,
        *,
        hosts: int = 1,
        cells: int = 1,
        tables: dict[str, dict[str, Any]] | None = None,
        volumes: Volumes | None = None,
    ) -> None:
        """`tables` are sections of the configuration, `volumes` the block storage service, if there is one."""
        self._volumes = volumes
        up = {"state": str(path / "state"), "driver": "fake", "hosts": hosts, "cells": cells}
        sections = {"identity": CHEAP_HASHES, **(tables or {})}
        self.config: Config = load(None, {}, {**sections, "up": {**up, **sections.get("up", {})}})
        self.runtime = RealRuntime()

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        self._start()
        self.nobody = Asker(self, None)
        self.admin = self._log_in("admin", self.passwords["admin"], "admin")
        self.member = self._log_in("kilonova", self.passwords["kilonova"], "kilonova")
        self.reader = self._new_user("reader", "kilonova", "reader")
        self.other = self._new_user("other", "other", "member")
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop()
        self._runner.close()

    def restart(self) -> None:
        """Stop cleanly and start again on the same state directory. Tokens stay valid."""
        self._stop()
        self._start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the cloud's loop."""
        return self._runner.run(work)

    def wait_for(self, condition: Callable[[], T], what: str = "the condition") -> T:
        """Let the cloud work until `condition()` is true; what it returned. Fails after 20 seconds."""
        deadline = self.runtime.monotonic() + PATIENCE_S
        while not (result := condition()):
            assert self.runtime.monotonic() < deadline, f"waited {PATIENCE_S:.0f} s in vain for {what}"
            self.run(asyncio.sleep(POLL_S))
        return result

    def wait_for_status(self, server_id: str, status: str) -> Any:
        """Wait until a server has a status and no task; the server as its administrator sees it."""
        seen: dict[str, Any] = {}

        def reached() -> bool:
            seen.update(self.admin.get(f"/compute/v2.1/servers/{server_id}")["server"])
            assert status == "ERROR" or seen["status"] != "ERROR", f"the server went to ERROR: {seen.get('fault')}"
            return seen["status"] == status and seen["OS-EXT-STS:task_state"] is None

        self.wait_for(reached, f"server {server_id} to become {status}")
        return seen

    def wait_for_gone(self, server_id: str) -> None:
        """Wait until a server is deleted."""
        path = f"/compute/v2.1/servers/{server_id}"
        self.wait_for(lambda: self.admin.ask("GET", path).status_code == 404, f"server {server_id} to be gone")

    def _start(self) -> None:
        self.state = open_state(self.config.up.path, self.runtime)
        self.passwords = passwords(self.state, self.runtime)
        self.cloud: Cloud = self.run(build(self.config, self.state, self.runtime, URL, self._volumes))
        transport = httpx.ASGITransport(app=self.cloud.app, raise_app_exceptions=True)
        self.http = httpx.AsyncClient(transport=transport, base_url=URL)

    def _stop(self) -> None:
        self.run(self.http.aclose())
        self.run(self.cloud.close())
        self.state.close()

    def _log_in(self, user: str, password: str, project: str) -> Asker:
        domain = {"id": "default"}
        identity = {
            "methods": ["password"],
            "password": {"user": {"name": user, "domain": domain, "password": password}},
        }
        auth = {"auth": {"identity": identity, "scope": {"project": {"name": project, "domain": domain}}}}
        answer = Asker(self, None).ask("POST", "/identity/v3/auth/tokens", auth)
        assert answer.status_code == 201, answer.text
        return Asker(self, answer.headers["X-Subject-Token"], answer.json()["token"]["project"]["id"])

    def _new_user(self, name: str, project: str, role: str) -> Asker:
        """A further user with a role in a project; both are made if they are not there yet."""
        password = f"{name}-password"
        projects = self.admin.get("/identity/v3/projects", params={"name": project})["projects"]
        if not projects:
            projects = [self.admin.post("/identity/v3/projects", {"project": {"name": project}}, status=201)["project"]]
        (found,) = self.admin.get("/identity/v3/roles", params={"name": role})["roles"]
        users = self.admin.get("/identity/v3/users", params={"name": name})["users"]
        if not users:
            users = [
                self.admin.post("/identity/v3/users", {"user": {"name": name, "password": password}}, status=201)[
                    "user"
                ]
            ]
        user = users[0]
        self.admin.put(f"/identity/v3/projects/{projects[0]['id']}/users/{user['id']}/roles/{found['id']}", status=204)
        return self._log_in(name, password, project)
