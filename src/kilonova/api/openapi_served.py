"""The OpenAPI documents over HTTP: `/compute/openapi/2.N.json`, and a page of each for people. No token is needed."""

import re
from urllib.parse import parse_qs

from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from kilonova.api.faults import fault_body
from kilonova.api.openapi import Documents
from kilonova.api.openapi_page import page
from kilonova.kernel.errors import KilonovaError
from kilonova.runtime.runtime import Runtime
from kilonova.web import request_ids
from kilonova.web.errors import fault_of
from kilonova.web.service import NoSuchPath

MAX_AGE_S = 3600
"""How long a document may be used without asking again."""
_DOCUMENT = re.compile(r"/([^/]*)\.(json|html)")


class OpenApi:
    """An ASGI application: `/2.N.json` is a document, `/2.N.html` its page, `/` leads to the newest page."""

    def __init__(self, documents: Documents, runtime: Runtime) -> None:
        """Making a document takes a while, so it is done off the loop."""
        self._documents = documents
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; `scope["path"]` is the path below the mount."""
        try:
            response = await self._answer(scope)
        except KilonovaError as error:
            fault = fault_of(error, request_ids.new(self._runtime))
            body, media_type = fault_body(fault)
            response = Response(body, fault.status, media_type=media_type)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in {"GET", "HEAD"}:
            raise NoSuchPath
        if scope["path"] in {"", "/"}:
            asked = parse_qs(scope["query_string"].decode("latin-1")).get("version", [self._documents.line.labels[-1]])
            return RedirectResponse(f"{scope['root_path']}/{self._documents.level(asked[-1]).label}.html")
        named = _DOCUMENT.fullmatch(scope["path"])
        if named is None:
            raise NoSuchPath
        content, tag = await self._runtime.run_blocking(self._documents.encoded, named[1])
        headers = {"ETag": tag, "Cache-Control": f"public, max-age={MAX_AGE_S}"}
        known = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"if-none-match"), "")
        if tag in [one.strip().removeprefix("W/") for one in known.split(",")] or known == "*":
            return Response(status_code=304, headers=headers)
        if named[2] == "json":
            return Response(content, headers=headers, media_type="application/json")
        told = await self._runtime.run_blocking(page, self._documents, named[1])
        return Response(told, headers=headers, media_type="text/html")
