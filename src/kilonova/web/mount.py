"""Several services under one port, by the first segment of the path."""

from collections.abc import Mapping

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class Mounts:
    """An ASGI application that hands each request to the service its path begins with."""

    def __init__(self, services: Mapping[str, ASGIApp], root: ASGIApp) -> None:
        """`services` by prefix, e.g. `/compute`; `root` answers what has none."""
        self._services = dict(services)
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Strip the prefix, remember it in `root_path`, and hand on."""
        path = scope["path"]
        end = path.find("/", 1)
        prefix = path if end < 0 else path[:end]
        service = self._services.get(prefix, self._root)
        if service is not self._root:
            scope = {**scope, "path": path[len(prefix) :] or "/", "root_path": scope.get("root_path", "") + prefix}
        await service(scope, receive, send)


def not_found(message: str) -> JSONResponse:
    """The answer of the root document to a path that no service has."""
    return JSONResponse({"error": {"code": 404, "title": "Not Found", "message": message}}, 404)
