"""One client's connection: requests that may get no answer, through kills and cut lines."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from kilonova.app.clouds_yaml import ACCOUNTS
from kilonova.app.paths import PATHS
from kilonova.testing.access import CloudAccess
from tools.chaos.record import Record

NEWEST = {"OpenStack-API-Version": "compute 2.96"}
ANSWER_S = 15.0
"""A client gives up after this: shorter than what a program may stand still."""
AGAIN_S = 0.1
SERVERS = f"{PATHS['compute']}/servers"


class Http:
    """Asks in the name of one account. `close` it."""

    def __init__(self, access: CloudAccess, url: str, account: str, record: Record) -> None:
        """Connect to `url` with the password that the cloud's state directory keeps for `account`, a cloud's name."""
        self._record = record
        self._user = ACCOUNTS[account]
        self._password = (access.state / "secrets" / f"{self._user}-password").read_text(encoding="ascii")
        self._client = httpx.AsyncClient(base_url=url, timeout=ANSWER_S, trust_env=False, headers=NEWEST)

    async def login(self) -> None:
        """Get a token, however long that takes."""
        domain = {"id": "default"}
        user = {"name": self._user, "domain": domain, "password": self._password}
        scope = {"project": {"name": self._user, "domain": domain}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        while True:
            answer = await self.ask("POST", f"{PATHS['identity']}/auth/tokens", {"auth": auth})
            if answer is not None:
                break
            await asyncio.sleep(AGAIN_S)
        self._client.headers["X-Auth-Token"] = answer.raise_for_status().headers["X-Subject-Token"]

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    async def ask(
        self, method: str, path: str, body: Any = None, params: Mapping[str, str] | None = None
    ) -> httpx.Response | None:
        """One request; None when it has no answer, or was told that the cloud can't answer now."""
        self._record.asked += 1
        try:
            answer = await self._client.request(method, path, json=body, params=params)
        except httpx.TransportError:
            self._record.unanswered += 1
            await self._until_answered()
            return None
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            self._record.unanswered += 1
            return None
        if answer.status_code in {401, 500, 501, 502}:
            self._record.wrong.append(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")
        return answer

    async def _until_answered(self) -> None:
        """Wait until somebody answers there: a client that asks on and on would only count failures."""
        while True:
            try:
                await self._client.get("/")
            except httpx.TransportError:
                await asyncio.sleep(AGAIN_S)
            else:
                return
