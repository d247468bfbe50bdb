"""The metadata service: what guests are told of themselves, asked for by the network service's proxy.

The proxy says which server asks (`X-Instance-ID`), proves that it is the proxy (`X-Instance-ID-Signature`, the HMAC-SHA256 of
that id with a shared secret) and in which project it found the server (`X-Tenant-ID`), as Neutron's metadata agent does. Source:
Nova administrator guide, "Metadata service".
"""

import asyncio
import hashlib
import hmac
import logging
from collections import OrderedDict
from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from kilonova.app.foundation import Foundation
from kilonova.app.listen import bind
from kilonova.app.metadata_tree import Tree, look_up, tree
from kilonova.app.server import serve
from kilonova.kernel.errors import NotFound, Unavailable
from kilonova.kernel.ids import ServerId, is_uuid
from kilonova.operations.servers import Servers
from kilonova.runtime.runtime import Runtime

CACHE_MAX = 1000
"""Most servers that are remembered."""
CACHE_S = 15.0
"""How long a server is remembered, in seconds: as long as Nova does."""
SEED_BYTES = 384
"""As much randomness as guests are given."""
ID, SIGNATURE, PROJECT = "X-Instance-ID", "X-Instance-ID-Signature", "X-Tenant-ID"

log = logging.getLogger(__name__)


class Refusal(Exception):
    """An answer that is no metadata."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.answer = PlainTextResponse(reason + "\n", status)


class MetadataService:
    """An ASGI application that answers for servers."""

    def __init__(self, servers: Servers, secret: Callable[[], str], runtime: Runtime) -> None:
        """Believe whoever signs with what `secret` returns."""
        self._servers = servers
        self._secret = secret
        self._runtime = runtime
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request, scope["path"])
        except Refusal as refusal:
            response = refusal.answer
        except Unavailable as error:
            log.warning("%s", error.message)
            response = PlainTextResponse(f"{error.message}\n", 503, {"Retry-After": "1"})
        await response(scope, receive, send)

    async def _answer(self, request: Request, path: str) -> Response:
        server_id, project_id = self._asked(request)
        if request.method not in {"GET", "HEAD"}:
            raise Refusal(405, f"{request.method} is not for metadata; passwords of guests can't be kept here")
        known = await self._find(server_id)
        if known is None or known.project_id != project_id:
            raise Refusal(404, f"There is no server {server_id} in the project {project_id}")
        content = look_up(known.tree, path)
        if content is None:
            raise Refusal(404, f"There is nothing at {path}")
        return Response(content, media_type="application/json" if path.endswith(".json") else "text/plain")

    def _asked(self, request: Request) -> tuple[str, str]:
        """The server and the project in the headers. Raises `Refusal` for what nobody but the proxy can say."""
        given = [request.headers.getlist(name) for name in (ID, SIGNATURE, PROJECT)]
        for name, values in zip((ID, SIGNATURE, PROJECT), given, strict=True):
            if len(values) != 1:
                raise Refusal(400, f"The header {name} is {'missing' if not values else 'there more than once'}")
        (server_id,), (signature,), (project_id,) = given
        expected = hmac.new(self._secret().encode(), server_id.encode("latin-1"), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.encode("latin-1")):
            raise Refusal(403, "The signature is not the proxy's: do both have the same secret?")
        if not is_uuid(server_id):
            raise Refusal(404, f"{server_id[:100]} is no server's id")
        return server_id, project_id

    async def _find(self, server_id: str) -> "_Known | None":
        """A server, as it was at most `CACHE_S` seconds ago; None when there is none."""
        now = self._runtime.monotonic()
        known = self._known.get(server_id)
        if known is None or now - known.at >= CACHE_S:
            self._known.pop(server_id, None)
            try:
                server = await self._servers.get(ServerId(server_id))
            except NotFound:
                return None
            found = tree(server, self._runtime.token(SEED_BYTES))
            known = self._known[server_id] = _Known(at=now, project_id=server.project_id, tree=found)
            if len(self._known) > CACHE_MAX:
                self._known.popitem(last=False)
        return known


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """A server that was asked about."""

    at: float
    project_id: str
    tree: Tree


def metadata_service(foundation: Foundation, servers: Servers) -> ASGIApp:
    """The service, which has a port of its own as well where one is configured. Raises what `bind` raises."""
    config = foundation.config.metadata

    def secret() -> str:
        return config.secret or foundation.state.secret("metadata-secret", foundation.runtime)

    service = MetadataService(servers, secret, foundation.runtime)
    if config.listen is not None:
        _listen(foundation, service, config.listen)
    return service


def _listen(foundation: Foundation, service: ASGIApp, address: str) -> None:
    up = msgspec.structs.replace(foundation.config.up, listen=address)
    listener, ended = bind(up), asyncio.Event()

    def ready() -> None:
        log.info("metadata at %s", listener.url)

    serving = foundation.runtime.spawn(serve(service, listener, up, ready, ended), name="metadata")

    async def stop() -> None:
        ended.set()
        await asyncio.wait([serving])
        listener.socket.close()

    foundation.parts.push_async_callback(stop)
