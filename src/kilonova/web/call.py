"""One request on its way through a service, and the reply it gets."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
from starlette.requests import Request

from kilonova.kernel.errors import Invalid, NotAuthenticated, TooLarge
from kilonova.kernel.versions import Level
from kilonova.objects.caller import Caller

_decoder = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode


class MalformedBody(Invalid):
    """The request body is not valid JSON: {reason}"""

    code = "malformed-body"


@dataclass
class Call:
    """One request: what was asked, by whom, at which version."""

    request: Request
    path: str
    """The path below the service's prefix, decoded, without a trailing slash."""
    request_id: str
    level: Level | None = None
    """The version negotiated, for services that have versions."""
    caller: Caller | None = None
    params: dict[str, str] = field(default_factory=dict)
    """What stands for the `{names}` of the route's path."""
    body: Any = None
    """The decoded JSON body, for routes that take one."""

    @property
    def method(self) -> str:
        """The HTTP method, in capitals."""
        return self.request.method

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers; names in any case."""
        return self.request.headers

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """The query parameters in order, repeated ones repeated."""
        return self.request.query_params.multi_items()

    @property
    def user(self) -> Caller:
        """The caller, for routes that need one. Raises `NotAuthenticated` without."""
        if self.caller is None:
            raise NotAuthenticated
        return self.caller

    @property
    def version(self) -> Level:
        """The level negotiated, for routes of services that have versions."""
        assert self.level is not None
        return self.level

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises `TooLarge` beyond `limit` bytes, before reading it where its length was declared."""
        declared = self.request.headers.get("content-length", "0")
        if not declared.isdecimal() or not declared.isascii() or int(declared[:20]) > limit:
            raise TooLarge(limit=limit)
        body = bytearray()
        async for piece in self.request.stream():
            body += piece
            if len(body) > limit:
                raise TooLarge(limit=limit)
        return bytes(body)

    def stream(self) -> AsyncIterator[bytes]:
        """The body in pieces, for uploads."""
        return self.request.stream()


def decode(raw: bytes) -> Any:
    """Decode a JSON body; None for an empty one. Raises `MalformedBody`, also for bad UTF-8 and bottomless nesting."""
    if not raw:
        return None
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(reason=str(error)) from error
    except RecursionError as error:
        raise MalformedBody(reason="it is nested too deeply") from error


def encoded(part: object) -> msgspec.Raw:
    """A part of a long body as it will be sent: a thousand small documents are not kept until all are there."""
    return msgspec.Raw(_encode(part))


@dataclass(frozen=True)
class Reply:
    """What a handler answers."""

    body: Any = None
    """Encoded as JSON; bytes are sent as they are, an async iterator is streamed, None is no body."""
    status: int | None = None
    """The route's success code when None."""
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
