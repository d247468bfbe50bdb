"""One authenticated way to other OpenStack services: own token, endpoints from the catalog, bounded retries.

The clients of Keystone, Glance, Neutron and Cinder share one `ServiceSession`. It logs in with a service account on first use,
renews its token before it ends, finds endpoints in its token's catalog (or takes those that were configured), and turns
whatever keeps a service from answering into `Unavailable`. Answers below 500 come back as they are, for the client to
read: `response.status_code`, `response.json()`, `message_of(response)`.

    session = ServiceSession(Credentials(auth_url=..., username="nova", password=...), runtime)
    response = await session.get("network", "/v2.0/ports", params={"device_id": server_id})
    response = await session.post("network", "/v2.0/ports", json={"port": {...}})
    response = await session.get("image", f"/v2/images/{id}", token=caller.token)   # in the caller's name

Paths begin with the version (`/v2.0/...`), whether or not the catalog's URL ends with one.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kilonova.kernel.errors import Unavailable
from kilonova.runtime.runtime import Runtime

if TYPE_CHECKING:
    import httpx

ATTEMPTS = 3
"""Tries of one request, the first included."""
BACKOFF_S = 0.2
"""Pause before the second try; doubled for each further one, with jitter."""
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0
RENEW_BEFORE_S = 120.0
"""How long before its end an own token is replaced."""

_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_VERSION_SUFFIX = re.compile(r"/v\d+(\.\d+)?(/[0-9a-f]{32})?/?$")
"""Also with a project behind it, as old catalogs have it for block storage."""
_TYPES = {"block-storage": frozenset({"block-storage", "volumev3"})}
"""Services that catalogs list under more types than one."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The service account, and where to log in with it."""

    auth_url: str
    """Keystone's URL, with or without `/v3`."""
    username: str
    password: str = field(repr=False)
    user_domain_name: str = "Default"
    project_name: str = "service"
    project_domain_name: str = "Default"
    region: str | None = None
    """The region whose endpoints count; None for any."""
    interface: str = "public"
    ca_file: str | None = None
    """PEM file of the authority that signed the services' certificates; None for the system's."""


@dataclass(frozen=True)
class _Login:
    """An own token, its end, and the catalog that came with it."""

    token: str = field(repr=False)
    expires_at: float
    catalog: tuple[Mapping[str, Any], ...]


class ServiceSession:
    """Requests to other services in the service account's name, or with a caller's token."""

    def __init__(
        self,
        credentials: Credentials,
        runtime: Runtime,
        endpoints: Mapping[str, str] | None = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        """`endpoints` by service type override the catalog; `transport` replaces the network."""
        self.auth_url = _VERSION_SUFFIX.sub("", credentials.auth_url.rstrip("/"))
        self._credentials = credentials
        self._runtime = runtime
        self._endpoints = {kind: _VERSION_SUFFIX.sub("", url.rstrip("/")) for kind, url in (endpoints or {}).items()}
        self._transport = transport
        self._http: httpx.AsyncClient | None = None
        self._login: _Login | None = None
        self._login_lock = asyncio.Lock()

    async def get(self, service: str, path: str, **options: Any) -> "httpx.Response":
        """GET; `options` as for `request`."""
        return await self.request("GET", service, path, **options)

    async def post(self, service: str, path: str, **options: Any) -> "httpx.Response":
        """POST; `options` as for `request`."""
        return await self.request("POST", service, path, **options)

    async def put(self, service: str, path: str, **options: Any) -> "httpx.Response":
        """PUT; `options` as for `request`."""
        return await self.request("PUT", service, path, **options)

    async def delete(self, service: str, path: str, **options: Any) -> "httpx.Response":
        """DELETE; `options` as for `request`."""
        return await self.request("DELETE", service, path, **options)

    async def request(
        self,
        method: str,
        service: str,
        path: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        as_service: bool = False,
        stream: bool = False,
        **body: Any,
    ) -> "httpx.Response":
        """Ask `service` (its type in the catalog, e.g. `network`); any answer below 500.

        Args:
            method: the HTTP method.
            service: the service's type.
            path: path below the service's endpoint, beginning with the version.
            token: a caller's token, to act in their name; the service account's own when None.
            headers: further headers.
            as_service: show the service account's own token as well (`X-Service-Token`): what only services may do.
            stream: leave the body unread; the caller iterates it and calls `aclose()`.
            body: `params`, `json`, `content` or `timeout`, as httpx takes them. A content that is read only once is sent once.

        Raises:
            Unavailable: no connection, no login, no endpoint, or 5xx, after the tries that are safe.
        """
        sent = dict(headers or {})
        if as_service:
            sent["X-Service-Token"] = (await self._logged_in()).token
        response = await self._request(method, service, path, token, sent, stream, body)
        if response.status_code == 401 and token is None and not isinstance(body.get("content"), AsyncIterator):
            await response.aclose()
            self._login = None
            if as_service:
                sent["X-Service-Token"] = (await self._logged_in()).token
            response = await self._request(method, service, path, token, sent, stream, body)
        return response

    async def close(self) -> None:
        """Let go of connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _request(
        self,
        method: str,
        service: str,
        path: str,
        token: str | None,
        headers: Mapping[str, str],
        stream: bool,
        body: Mapping[str, Any],
    ) -> "httpx.Response":
        url = await self._endpoint(service) + path
        sent = {**headers, "X-Auth-Token": token or (await self._logged_in()).token}
        return await self._send(method, url, service, stream, {"headers": sent, **body})

    async def _send(
        self, method: str, url: str, service: str, stream: bool, options: Mapping[str, Any]
    ) -> "httpx.Response":
        """Send one request, again where that is safe: nothing was sent yet, or repeating it changes nothing."""
        import httpx  # noqa: PLC0415 - costs 0.1 s, and only clouds with outside services need it

        client = self._client()
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await self._runtime.sleep(BACKOFF_S * 2 ** (attempt - 1) * (0.5 + self._runtime.random()))
            repeat = method in _REPEATABLE and not isinstance(options.get("content"), AsyncIterator)
            try:
                response = await client.send(client.build_request(method, url, **options), stream=stream)
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
                repeat = repeat or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            else:
                if response.status_code < 500:
                    return response
                await response.aclose()
                reason = f"it answered {response.status_code}"
            if not repeat:
                break
        raise Unavailable(service=f"the {service} service", reason=reason)

    def _client(self) -> "httpx.AsyncClient":
        if self._http is None:
            import ssl  # noqa: PLC0415

            import httpx  # noqa: PLC0415

            timeout = httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
            tls = ssl.create_default_context(cafile=self._credentials.ca_file)
            self._http = httpx.AsyncClient(verify=tls, timeout=timeout, trust_env=False, transport=self._transport)
        return self._http

    async def _endpoint(self, service: str) -> str:
        """The URL of a service, without a version."""
        configured = self._endpoints.get(service)
        if configured is not None:
            return configured
        if service == "identity":
            return self.auth_url
        wanted = self._credentials
        types = _TYPES.get(service, frozenset({service}))
        for entry in (await self._logged_in()).catalog:
            for endpoint in entry["endpoints"] if entry["type"] in types else ():
                if endpoint["interface"] == wanted.interface and wanted.region in {None, endpoint["region"]}:
                    return _VERSION_SUFFIX.sub("", endpoint["url"].rstrip("/"))
        where = f" in region {wanted.region}" if wanted.region else ""
        raise Unavailable(
            service=f"the {service} service", reason=f"the catalog has no {wanted.interface} endpoint for it{where}"
        )

    async def _logged_in(self) -> _Login:
        """The present login, renewed when its end is near. Callers that need a new one share it."""
        async with self._login_lock:
            if self._login is None or self._login.expires_at - RENEW_BEFORE_S < self._runtime.now():
                self._login = await self._log_in()
            return self._login

    async def _log_in(self) -> _Login:
        account = self._credentials
        user = {
            "name": account.username,
            "domain": {"name": account.user_domain_name},
            "password": account.password,
        }
        scope = {"project": {"name": account.project_name, "domain": {"name": account.project_domain_name}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        response = await self._send(
            "POST", f"{self.auth_url}/v3/auth/tokens", "identity", False, {"json": {"auth": auth}}
        )
        if response.status_code != 201:
            reason = f"it refused the service account {account.username}: {message_of(response)}"
            raise Unavailable(service="the identity service", reason=reason)
        token = response.json()["token"]
        return _Login(response.headers["X-Subject-Token"], epoch(token["expires_at"]), tuple(token["catalog"]))


def epoch(text: str) -> float:
    """Seconds since the epoch of an ISO 8601 time as OpenStack's services write it."""
    return datetime.fromisoformat(text).timestamp()


def message_of(response: "httpx.Response") -> str:
    """The sentence in an error answer, whichever of OpenStack's forms it has (the body must have been read)."""
    try:
        document = response.json()
    except ValueError:
        return response.text[:500]
    return message_in(document) or response.text[:500]


def message_in(document: object) -> str:
    """The sentence in the decoded body of an error answer; empty when there is none."""
    for inner in document.values() if isinstance(document, dict) else ():
        if isinstance(inner, dict) and isinstance(inner.get("message"), str):
            return str(inner["message"])
        if isinstance(inner, str):
            return inner
    return ""
