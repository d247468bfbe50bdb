"""Identity by a real Keystone."""

from collections import OrderedDict
from typing import Any

from kilonova.clients.session import ServiceSession, epoch
from kilonova.kernel.errors import NotAuthenticated, Unavailable
from kilonova.kernel.ids import ProjectId, UserId
from kilonova.objects.caller import Caller
from kilonova.runtime.runtime import Runtime

CACHE_S = 20.0
"""How long what a token says is believed: what is revoked at Keystone ends here so much later, at most."""
CACHED_MAX = 10_000
"""Most tokens whose owners are kept."""
TOKEN_MAX = 8192
"""Longest token asked about, in characters."""


class KeystoneIdentity:
    """Implements `Identity` by the Identity API v3. The service account needs a role that may validate tokens."""

    def __init__(self, session: ServiceSession, runtime: Runtime, cache_s: float = CACHE_S) -> None:
        """Ask through `session`; believe an answer for `cache_s` seconds."""
        self._session = session
        self._runtime = runtime
        self._cache_s = cache_s
        self._cache: OrderedDict[str, tuple[Caller, float]] = OrderedDict()

    async def caller(self, token: str) -> Caller:
        """See `Identity.caller`."""
        now = self._runtime.now()
        caller, until = self._cache.get(token, (None, 0.0))
        if caller is not None and now < until:
            return caller
        caller = await self._validated(token)
        if caller.expires_at <= now:
            raise NotAuthenticated
        self._cache[token] = caller, min(now + self._cache_s, caller.expires_at)
        self._cache.move_to_end(token)
        if len(self._cache) > CACHED_MAX:
            self._cache.popitem(last=False)
        return caller

    async def project_exists(self, project_id: str) -> bool:
        """See `Identity.project_exists`."""
        if not project_id.isascii() or not project_id.replace("-", "").isalnum():
            return False
        response = await self._session.get("identity", f"/v3/projects/{project_id}")
        if response.status_code not in {200, 404}:
            raise Unavailable(service="the identity service", reason=f"it answered {response.status_code}")
        return response.status_code == 200

    async def close(self) -> None:
        """See `Identity.close`."""
        await self._session.close()

    async def _validated(self, token: str) -> Caller:
        if not 0 < len(token) <= TOKEN_MAX or not token.isascii() or not token.isprintable():
            raise NotAuthenticated
        headers = {"X-Subject-Token": token}
        response = await self._session.get("identity", "/v3/auth/tokens", headers=headers, params={"nocatalog": "1"})
        if response.status_code == 404:
            raise NotAuthenticated
        if response.status_code != 200:
            reason = f"it answered {response.status_code} when asked about a token"
            raise Unavailable(service="the identity service", reason=reason)
        return caller_of(response.json()["token"], token)


def caller_of(document: dict[str, Any], token: str) -> Caller:
    """The owner that a token's document tells of (Identity API v3, "Validate and show information for token")."""
    user = document["user"]
    project = document.get("project")
    return Caller(
        user_id=UserId(user["id"]),
        user_name=user["name"],
        user_domain_id=user["domain"]["id"],
        user_domain_name=user["domain"]["name"],
        project_id=ProjectId(project["id"]) if project else None,
        project_name=project["name"] if project else None,
        project_domain_id=project["domain"]["id"] if project else None,
        project_domain_name=project["domain"]["name"] if project else None,
        system_scope=bool(document.get("system", {}).get("all")),
        roles=tuple(role["name"] for role in document.get("roles", ())),
        expires_at=epoch(document["expires_at"]),
        token=token,
    )
