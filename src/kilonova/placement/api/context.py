"""What every resource of the Placement API works with, and how it reads a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, TypeVar

import msgspec

from kilonova.database.database import Database
from kilonova.kernel.errors import Invalid, UnsupportedMedia
from kilonova.kernel.ids import is_uuid
from kilonova.kernel.versions import Level
from kilonova.placement.errors import ConcurrentUpdate, NoSuchProvider
from kilonova.placement.shapes import Provider
from kilonova.runtime.runtime import Runtime
from kilonova.web.call import Call, Reply
from kilonova.web.policy import Policy

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True, kw_only=True)
class Api:
    """The parts behind the API."""

    runtime: Runtime
    database: Database
    policy: Policy

    def allow(self, call: Call, rule: str, target: Mapping[str, object] | None = None) -> None:
        """Raise `Forbidden` unless the caller may do what `placement:RULE` guards."""
        self.policy.enforce(f"placement:{rule}", call.user, target)

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


def require_uuid(what: str, given: str) -> str:
    """`given` in canonical form. Raises `Invalid` for what is no UUID."""
    if not is_uuid(given):
        raise Invalid(reason=f"Invalid {what}: '{given}' is not a UUID")
    return canonical(given)


def require_json(call: Call) -> None:
    """Raise `UnsupportedMedia` unless the body says that it is JSON."""
    media = call.headers.get("content-type", "").partition(";")[0].strip()
    if media != "application/json":
        raise UnsupportedMedia(reason=f"The media type {media or None} is not supported, use application/json")


def body_of(call: Call, kind: type[T], shape: str | None = None) -> T:
    """The request's body as a `kind`, read up along `shape`. Raises `Invalid`, `UnsupportedMedia`."""
    require_json(call)
    if not isinstance(call.body, dict):
        raise Invalid(reason="JSON does not validate: the body must be an object")
    return read(call, call.body, kind, shape)


def read(call: Call, doc: Any, kind: type[T], shape: str | None = None) -> T:
    """A part of the request's body as a `kind`. Raises `Invalid`."""
    if shape is not None and isinstance(doc, dict):
        level_of(call).up(shape, doc)
    try:
        return msgspec.convert(doc, kind)
    except msgspec.ValidationError as error:
        raise Invalid(reason=f"JSON does not validate: {error}") from error


def require_generation(provider: Provider, given: int) -> None:
    """Raise `ConcurrentUpdate` unless the provider is still as the client saw it."""
    if provider.generation != given:
        raise ConcurrentUpdate(
            reason=f"resource provider generation conflict for {provider.uuid}: actual: {provider.generation}, given: {given}."
        )
