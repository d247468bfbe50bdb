"""What every resource of the identity service works with, and how its lists, links and errors look."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from kilonova.kernel.errors import Forbidden, Invalid
from kilonova.objects.caller import Caller
from kilonova.runtime.runtime import Runtime
from kilonova.standalone.identity.authority import Authority
from kilonova.standalone.identity.passwords import Passwords
from kilonova.standalone.identity.store import LIST_MAX, IdentityStore, Row
from kilonova.web.call import Call, Reply
from kilonova.web.errors import Fault
from kilonova.web.policy import Policy
from kilonova.web.routing import Handler

S = TypeVar("S")


class NotOffered(Forbidden):
    """{what}"""

    code = "not-offered"


@dataclass(frozen=True)
class CatalogEntry:
    """One service of the cloud, as its catalog lists it."""

    type: str
    """The service's type, e.g. `compute`."""
    name: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Context:
    """The parts that all resources share."""

    store: IdentityStore
    authority: Authority
    passwords: Passwords
    policy: Policy
    runtime: Runtime
    url: str
    """Where clients reach this service, without `/v3`."""
    region: str
    catalog: Sequence[CatalogEntry]
    token_life_s: float

    def enforce(self, call: Call, rule: str, **target: object) -> Caller:
        """The caller, if policy lets them do what `rule` guards, to `target`. Raises `Forbidden`."""
        caller = call.user
        self.policy.enforce(f"identity:{rule}", caller, target)
        return caller

    def link(self, path: str) -> str:
        """The whole URL of a path below `/v3`."""
        return f"{self.url}/v3/{path}"

    def new_id(self) -> str:
        """An id in Keystone's form: 32 hex digits."""
        return self.runtime.uuid().replace("-", "")

    def listing(self, call: Call, key: str, items: Iterable[Mapping[str, Any]], *filters: str) -> Reply:
        """A list in Keystone's form; of the query parameters, those named in `filters` choose by equality."""
        asked = dict(call.query)
        chosen = [item for item in items if all(_equal(item.get(name), asked.get(name)) for name in filters)]
        limit = _limit(asked.get("limit"))
        url = self.url + call.path + (f"?{urlencode(call.query)}" if call.query else "")
        body = {key: chosen[:limit], "links": {"next": None, "self": url, "previous": None}}
        return Reply(body if len(chosen) <= limit else body | {"truncated": True})


def error_body(fault: Fault) -> tuple[bytes, str]:
    """An error in Keystone's words."""
    error = {"code": fault.status, "message": fault.message, "title": fault.title}
    return msgspec.json.encode({"error": error}), "application/json"


def given(call: Call, key: str, shape: type[S]) -> S:
    """What the body holds under its only key, as `shape`. Raises `Invalid`."""
    if not isinstance(call.body, dict) or list(call.body) != [key]:
        raise Invalid(reason=f"The request body must be an object with the single key '{key}'.")
    try:
        return msgspec.convert(call.body[key], shape)
    except msgspec.ValidationError as error:
        raise Invalid(reason=f"Invalid input for {key}: {error}") from error


def changes(shape: msgspec.Struct) -> dict[str, Any]:
    """The fields that were given; those left out are `UNSET`."""
    return {name: value for name, value in msgspec.structs.asdict(shape).items() if value is not msgspec.UNSET}


def extra_of(document: Mapping[str, Any], shape: type[msgspec.Struct], reserved: Sequence[str] = ()) -> dict[str, Any]:
    """Properties that Keystone has no field for but keeps: scalars of any name."""
    known = {*shape.__struct_fields__, *reserved}
    extra = {name: value for name, value in document.items() if name not in known}
    for name, value in extra.items():
        if isinstance(value, dict | list):
            raise Invalid(reason=f"Additional property '{name}' must be a string, a number, a boolean or null.")
    return extra


def refuse(what: str) -> Handler:
    """A handler for what this service does not offer."""

    async def handler(_call: Call) -> Reply:
        raise NotOffered(what=what)

    return handler


def timestamp(seconds: float) -> str:
    """A time as Keystone writes it: ISO 8601 with microseconds, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def by_id(rows: Iterable[Row]) -> dict[str, Row]:
    """Rows by their id."""
    return {row["id"]: row for row in rows}


def is_set(call: Call, name: str) -> bool:
    """Whether a flag stands in the query: alone, or with anything but a word for no."""
    value = dict(call.query).get(name)
    return value is not None and value.lower() not in {"0", "false", "no", "off"}


def _equal(value: object, asked: str | None) -> bool:
    if asked is None:
        return True
    if isinstance(value, bool):
        return value == (asked.lower() not in {"0", "false", "no", "off"})
    return value == asked


def _limit(asked: str | None) -> int:
    return min(int(asked), LIST_MAX) if asked and asked.isascii() and asked.isdigit() and len(asked) < 10 else LIST_MAX
