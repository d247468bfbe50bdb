"""The root document: which services answer under this address, and where."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

import kilonova
from kilonova.app.paths import PATHS
from kilonova.web.mount import Mounts, not_found


class Root:
    """Answers `/` with the services, every other path with 404."""

    def __init__(self, base_url: str, types: tuple[str, ...]) -> None:
        """`types` of services are there, under `base_url`."""
        self._document = {
            "name": "kilonova",
            "version": kilonova.__version__,
            "services": [{"type": kind, "url": base_url + PATHS[kind]} for kind in types],
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        if scope["path"] not in {"/", ""}:
            response = not_found(f"No service is at {scope['path']}; GET / lists those that there are.")
        elif request.method not in {"GET", "HEAD"}:
            response = JSONResponse({"error": {"code": 405, "title": "Method Not Allowed", "message": ""}}, 405)
        else:
            response = JSONResponse(self._document)
        await response(scope, receive, send)


def mounted(base_url: str, services: Mapping[str, ASGIApp], unlisted: Mapping[str, ASGIApp]) -> ASGIApp:
    """All services, by type, under one address; those in `unlisted`, by prefix, are in no list."""
    prefixes = {f"/{PATHS[kind].split('/')[1]}": service for kind, service in services.items()}
    return Mounts({**prefixes, **unlisted}, Root(base_url, tuple(services)))
