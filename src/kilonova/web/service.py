"""A service: one request's way in (version, token, route, body) and its way out (reply or error, headers)."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from kilonova.kernel.errors import Invalid, KilonovaError, NotAuthenticated, NotFound
from kilonova.objects.caller import Caller
from kilonova.runtime.runtime import Runtime
from kilonova.web import request_ids
from kilonova.web.call import Call, Reply, decode
from kilonova.web.errors import Fault, fault_of
from kilonova.web.negotiation import Negotiation
from kilonova.web.routing import Body, Found, Route, Router

BODY_MAX = 1 << 20
"""Largest JSON body taken, in bytes."""

log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder()


class NoSuchPath(NotFound):
    """The resource could not be found."""

    code = "no-such-path"


class NoSuchAction(Invalid):
    """There is no such action: {action}"""

    code = "no-such-action"


class Tokens(Protocol):
    """Turns a token into its owner. Every identity client can."""

    async def caller(self, token: str) -> Caller:
        """The owner of a valid token. Raises `NotAuthenticated`, or `Unavailable` when that can't be said now."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """In what a service differs from others when it answers."""

    name: str
    """Shows in logs, e.g. `compute`."""
    error_body: Callable[[Fault], tuple[bytes, str]]
    """Words an error: body and media type."""
    negotiation: Negotiation | None = None
    wrong_method: int = 405
    """What a known path answers to a method it doesn't have."""
    body_max: int = BODY_MAX
    challenge: str | None = None
    """What a 401 says in `WWW-Authenticate`."""


class Service:
    """An ASGI application made of routes."""

    def __init__(self, dialect: Dialect, routes: Sequence[Route], tokens: Tokens, runtime: Runtime) -> None:
        """Build the tree of routes once."""
        self.dialect = dialect
        self.router = Router(routes)
        self._tokens = tokens
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; `scope["path"]` is the path below the service's prefix."""
        request = Request(scope, receive)
        call = Call(request, scope["path"].rstrip("/") or "/", request_ids.new(self._runtime))
        request_ids.current.set(call.request_id)
        try:
            reply, status = await self._answer(call)
            response = self._response(reply, status)
        except ClientDisconnect:
            log.info("%s %s %r broken off by the client", self.dialect.name, call.method, call.path)
            return
        except Exception as error:  # noqa: BLE001 - whatever happened, the client gets an answer in the service's words
            response = self._refusal(call, error)
        self._sign(call, response)
        await response(scope, receive, send)
        log.info("%s %s %r %s", self.dialect.name, call.method, call.path, response.status_code)

    async def _answer(self, call: Call) -> tuple[Reply, int]:
        if self.dialect.negotiation is not None:
            call.level = self.dialect.negotiation.level(call.headers)
        found = self.router.find(call.method, call.path)
        if found is None or not found.routes:
            return await self._unrouted(call, found)
        if not all(route.public for route in found.routes):
            call.caller = await self._authenticate(call)
        route = await self._choose(call, found)
        call.params = found.params(route)
        reply = await route.handler(call)
        return reply, reply.status or route.success

    async def _unrouted(self, call: Call, found: Found | None) -> tuple[Reply, int]:
        """Unknown paths are 404 for anybody: nothing is learned that a token would hide."""
        if found is not None and self.dialect.wrong_method == 405:
            text = f"The method {call.method} is not allowed for this resource."
            fault = Fault(405, text, "wrong-method", call.request_id)
            body, media_type = self.dialect.error_body(fault)
            return Reply(body, headers={"Allow": ", ".join(found.methods)}, media_type=media_type), 405
        raise NoSuchPath

    async def _authenticate(self, call: Call) -> Caller:
        token = call.headers.get("x-auth-token")
        if not token:
            raise NotAuthenticated
        return await self._tokens.caller(token)

    async def _choose(self, call: Call, found: Found) -> Route:
        """The route of this version, and of this action where the body decides. Reads the body on the way."""
        served = [route for route in found.routes if route.served_at(call.level)]
        if not served:
            raise NoSuchPath
        if served[0].body is Body.JSON:
            call.body = decode(await call.read(self.dialect.body_max))
        if served[0].action is None:
            return served[0]
        return _by_action(call, found.routes)

    def _response(self, reply: Reply, status: int) -> Response:
        headers = dict(reply.headers)
        if reply.body is None:
            return Response(status_code=status, headers=headers)
        if isinstance(reply.body, bytes):
            return Response(reply.body, status, headers, reply.media_type)
        if hasattr(reply.body, "__aiter__"):
            return StreamingResponse(reply.body, status, headers, reply.media_type)
        return Response(_encoder.encode(reply.body), status, headers, reply.media_type)

    def _refusal(self, call: Call, error: Exception) -> Response:
        fault = fault_of(error, call.request_id)
        if fault.code == KilonovaError.code:
            log.error("%s %s %r failed", self.dialect.name, call.method, call.path, exc_info=error)
        body, media_type = self.dialect.error_body(fault)
        headers = dict(fault.headers)
        if fault.status == 401 and self.dialect.challenge is not None:
            headers["WWW-Authenticate"] = self.dialect.challenge
        return Response(body, fault.status, headers, media_type)

    def _sign(self, call: Call, response: Response) -> None:
        told = request_ids.headers(self.dialect.name, call.request_id)
        if self.dialect.negotiation is not None and call.level is not None:
            told += self.dialect.negotiation.headers(call.level)
        response.raw_headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in told]


def _by_action(call: Call, routes: Sequence[Route]) -> Route:
    """The route whose action is the single key of the body. An action of other versions is not found, an unknown one is wrong."""
    body = call.body
    keys = list(body) if isinstance(body, dict) else []
    if len(keys) != 1:
        raise NoSuchAction(action="the body must hold exactly one")
    named = [route for route in routes if route.action == keys[0]]
    if not named:
        raise NoSuchAction(action=keys[0])
    for route in named:
        if route.served_at(call.level):
            return route
    raise NoSuchPath
