"""Asking another service in the caller's name, for the routes that pass requests on."""

from collections.abc import Callable, Mapping
from typing import Any

from kilonova.clients.service_api import JSON, ServiceApi
from kilonova.kernel.errors import Conflict, Invalid, NotFound
from kilonova.kernel.ids import is_uuid
from kilonova.web.call import Call

Document = dict[str, Any]


class Remote:
    """One service, as the routes about it ask it."""

    def __init__(self, api: ServiceApi, base: str) -> None:
        """`base` is the version that every path begins with, e.g. `/v2.0`."""
        self._api = api
        self._base = base

    async def ask(
        self,
        call: Call,
        method: str,
        path: str,
        json: Any = None,
        *,
        kind: str,
        asked: str = "",
        params: Mapping[str, str] | None = None,
        media_type: str = JSON,
    ) -> Any:
        """The body of a good answer. Raises what the service's refusal means; `kind` and `asked` say what was asked for."""
        answer = await self._api.ask(call.user, method, self._base + path, json, params=params, media_type=media_type)
        if not answer.good:
            raise answer.refusal(kind, asked)
        return answer.body

    async def one(
        self, call: Call, path: str, resource_id: str, *, kind: str, method: str = "GET", json: Any = None
    ) -> Any:
        """The same about one resource below `path`. Raises `NotFound` for what can't be an id."""
        if not is_uuid(resource_id):
            raise NotFound(kind=kind, id=resource_id[:100])
        return await self.ask(call, method, f"{path}/{resource_id}", json, kind=kind, asked=resource_id)


def as_invalid(error: Conflict) -> Invalid:
    """What another service calls a conflict, for routes that answer 400 to it."""
    return Invalid(reason=error.message)


def window(call: Call, items: list[Document], key: Callable[[Document], Any] | None = None) -> list[Document]:
    """The items between `offset` and `offset` + `limit`, in order of `key` where one is given. Raises `Invalid`."""
    ordered = items if key is None else sorted(items, key=key)
    bounds = dict(call.query)
    start, limit = (_number(bounds.get(name), name) for name in ("offset", "limit"))
    return ordered[start or 0 :][: len(ordered) if limit is None else limit]


def _number(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise Invalid(
            reason=f"Invalid input for query parameters {name}. Value: {text[:100]}. It must be a whole number."
        )
    return int(text)
