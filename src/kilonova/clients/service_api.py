"""Another service's own API, asked in a caller's name: what the oldest routes of the Compute API pass on.

These routes only translate, so they need no more of the image, network and volume services than what those say to everybody.
The same translation works for a built-in service, which is asked without a socket, and for a real one.
"""

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
from starlette.types import ASGIApp, Message

from kilonova.clients.session import ServiceSession, message_in
from kilonova.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    KilonovaError,
    NotAuthenticated,
    NotFound,
    NotImplementedHere,
    OverLimit,
    Unavailable,
)
from kilonova.objects.caller import Caller

JSON = "application/json"
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class NotAllowedThere(Forbidden):
    """The {service} service doesn't allow it: {reason}"""

    code = "not-allowed-there"


class FullThere(OverLimit):
    """The {service} service has no room: {reason}"""

    code = "full-there"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a service answered, below 500."""

    service: str
    """Its type, e.g. `network`."""
    status: int
    body: Any = None
    """The decoded JSON; None when there was none."""

    @property
    def good(self) -> bool:
        """Whether the service did what it was asked."""
        return self.status < 400

    def refusal(self, kind: str, asked: str) -> KilonovaError:
        """The error for an answer that is not good: `kind` and `asked` say what was asked for."""
        reason = message_in(self.body) or f"it answered {self.status}"
        match self.status:
            case 401:
                return NotAuthenticated()
            case 403:
                return NotAllowedThere(service=self.service, reason=reason)
            case 404:
                return NotFound(kind=kind, id=asked[:100])
            case 409:
                return Conflict(reason=reason)
            case 413:
                return FullThere(service=self.service, reason=reason)
        return Invalid(reason=reason)


class ServiceApi(Protocol):
    """One service's API. Paths begin with its version, e.g. `/v2.0/security-groups`."""

    async def ask(
        self,
        caller: Caller,
        method: str,
        path: str,
        json: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        media_type: str = JSON,
    ) -> Answer:
        """One request with the caller's own token; any answer below 500. Raises `Unavailable`."""


class SessionApi:
    """Implements `ServiceApi` for a service elsewhere."""

    def __init__(self, session: ServiceSession, service: str) -> None:
        """`service` is its type in the catalog."""
        self._session = session
        self._service = service

    async def ask(
        self,
        caller: Caller,
        method: str,
        path: str,
        json: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        media_type: str = JSON,
    ) -> Answer:
        """See `ServiceApi.ask`."""
        sent: dict[str, Any] = {} if json is None else {"content": _encode(json)}
        headers = {} if json is None else {"Content-Type": media_type}
        response = await self._session.request(
            method, self._service, path, token=caller.token, headers=headers, params=params or {}, **sent
        )
        return Answer(service=self._service, status=response.status_code, body=_read(response.content))


class InProcessApi:
    """Implements `ServiceApi` for a service of this process, without a socket between."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        """`app` is the service as it is mounted."""
        self._app = app
        self._service = service

    async def ask(
        self,
        caller: Caller,
        method: str,
        path: str,
        json: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        media_type: str = JSON,
    ) -> Answer:
        """See `ServiceApi.ask`."""
        content = b"" if json is None else _encode(json)
        headers = [(b"host", b"localhost"), (b"x-auth-token", caller.token.encode())]
        if json is not None:
            headers += [(b"content-type", media_type.encode()), (b"content-length", str(len(content)).encode())]
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "root_path": "",
            "query_string": urlencode(params or {}).encode(),
            "headers": headers,
            "server": ("localhost", 80),
            "client": None,
        }
        said = _Said()

        async def receive() -> Message:
            return {"type": "http.request", "body": content, "more_body": False}

        await self._app(scope, receive, said.send)
        if said.status >= 500:
            raise Unavailable(service=f"the {self._service} service", reason=f"it answered {said.status}")
        return Answer(service=self._service, status=said.status, body=_read(bytes(said.content)))


class NotPassedOn(NotImplementedHere):
    """Requests of this kind are not passed on to another service here."""

    code = "not-passed-on"


class NoService:
    """Implements `ServiceApi` where there is no such service."""

    def __init__(self, refusal: type[KilonovaError] = NotPassedOn) -> None:
        """Everything is answered with `refusal`."""
        self._refusal = refusal

    async def ask(
        self,
        caller: Caller,
        method: str,
        path: str,
        json: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        media_type: str = JSON,
    ) -> Answer:
        """See `ServiceApi.ask`."""
        raise self._refusal


class _Said:
    """What an application sends."""

    def __init__(self) -> None:
        self.status = 500
        self.content = bytearray()

    async def send(self, message: Message) -> None:
        """Take a part of it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.content += message.get("body", b"")


def _read(content: bytes) -> Any:
    """The decoded body; None for what is no JSON."""
    try:
        return _decode(content) if content else None
    except msgspec.DecodeError:
        return None
