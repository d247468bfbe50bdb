"""What every resource of the Placement API works with, and how it reads a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, TypeVar

import msgspec

from kilonova.database.database import Database
from kilonova.kernel.errors import Forbidden, Invalid, NotAcceptable, UnsupportedMedia
from kilonova.kernel.ids import is_uuid
from kilonova.kernel.versions import Level, UnknownField
from kilonova.placement.api.validation import not_a_uuid, worded
from kilonova.placement.errors import ConcurrentUpdate, NoSuchProvider
from kilonova.placement.search.loader import LiveFleet
from kilonova.placement.shapes import Provider
from kilonova.runtime.runtime import Runtime
from kilonova.web.call import Call, MalformedBody, Reply, decode
from kilonova.web.policy import Policy
from kilonova.web.service import BODY_MAX

T = TypeVar("T", bound=msgspec.Struct)


class NotValid(Invalid):
    """JSON does not validate: {reason}"""


@dataclass(frozen=True, kw_only=True)
class Api:
    """The parts behind the API."""

    runtime: Runtime
    database: Database
    fleet: LiveFleet
    """What is in `database`, to be searched."""
    policy: Policy

    def allow(self, call: Call, rule: str, target: Mapping[str, object] | None = None) -> None:
        """Raise `Forbidden` unless the caller may do what `placement:RULE` guards, `NotAcceptable` for one who takes no JSON."""
        if call.user.system_scope:
            raise Forbidden(rule=f"placement:{rule}")  # all rules have the scope of a project
        self.policy.enforce(f"placement:{rule}", call.user, target)
        if call.method == "GET" and not takes_json(call.headers.get("accept", "")):
            raise NotAcceptable(reason="Only application/json is provided")

    def fresh(self, call: Call, body: Any, changed_at: float | None = None, **more: Any) -> Reply:
        """A reply that says when it last changed (now, if that isn't known), at versions that do."""
        headers: dict[str, str] = more.pop("headers", {})
        if level_of(call).has("freshness"):
            stamp = formatdate(self.runtime.now() if changed_at is None else changed_at, usegmt=True)
            headers = {**headers, "Last-Modified": stamp, "Cache-Control": "no-cache"}
        return Reply(body, headers=headers, **more)


def level_of(call: Call) -> Level:
    """The version of the request."""
    assert call.level is not None
    return call.level


def href(call: Call, path: str) -> str:
    """A link to `path` of this service."""
    return f"{call.request.scope.get('root_path', '')}{path}"


def location(call: Call, path: str) -> str:
    """A link to `path` of this service that begins with the address that the client used."""
    url = call.request.url
    return f"{url.scheme}://{url.netloc}{href(call, path)}"


def takes_json(accept: str) -> bool:
    """Whether a client with this `Accept` header takes JSON; one without takes everything."""
    ranges = [part.partition(";") for part in accept.split(",") if part.strip()]
    taken = {kind.strip().lower() for kind, _, rest in ranges if rest.replace(" ", "") not in {"q=0", "q=0.0"}}
    return not ranges or not taken.isdisjoint({"*/*", "application/*", "application/json"})


def canonical(uuid: str) -> str:
    """A UUID in lower case with dashes."""
    digits = uuid.replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def provider_uuid(call: Call) -> str:
    """The provider that the path names. Raises `NoSuchProvider` for what can't be one."""
    given = call.params["uuid"]
    if not is_uuid(given):
        raise NoSuchProvider(uuid=given)
    return canonical(given)


def require_uuid(given: str) -> str:
    """A UUID of a body in canonical form. Raises `NotValid` for what is none."""
    if not is_uuid(given):
        raise NotValid(reason=not_a_uuid(given))
    return canonical(given)


def _require_json(call: Call) -> None:
    media = call.headers.get("content-type", "").partition(";")[0].strip()
    if not media and call.headers.get("content-length", "0") != "0":
        raise Invalid(reason="content-type header required when content-length > 0")
    if media != "application/json":
        raise UnsupportedMedia(reason=f"The media type {media or None} is not supported, use application/json")


async def document_of(call: Call, limit: int = BODY_MAX) -> Any:
    """The request's body of at most `limit` bytes, decoded. Raises `Invalid`, `UnsupportedMedia`, `TooLarge`."""
    _require_json(call)
    raw = await call.read(limit)
    try:
        return decode(raw or b" ")
    except MalformedBody as error:
        raise Invalid(reason=f"Malformed JSON: {error.details['reason']}") from error


async def body_of(call: Call, kind: type[T], shape: str | None = None) -> T:
    """The request's body as a `kind`, read up along `shape`. Raises `Invalid`, `UnsupportedMedia`, `TooLarge`."""
    return read(call, await document_of(call), kind, shape)


def read(call: Call, document: Any, kind: type[T], shape: str | None = None) -> T:
    """A part of the request's body as a `kind`. Raises `NotValid`."""
    try:
        if shape is not None and isinstance(document, dict):
            level_of(call).up(shape, document)
        return msgspec.convert(document, kind)
    except UnknownField as error:
        raise NotValid(reason=error.message) from error
    except msgspec.ValidationError as error:
        raise NotValid(reason=worded(error, document)) from error


def require_generation(provider: Provider, given: int) -> None:
    """Raise `ConcurrentUpdate` unless the provider is still as the client saw it."""
    if provider.generation != given:
        raise ConcurrentUpdate(
            reason="Resource provider's generation already changed. Please update the generation and try again."
        )
