"""Scheduler hints of a new server: wishes about where, beside the server in the body (API reference, "Create server")."""

import re
from typing import Any

import msgspec

from kilonova.api.body import BadField, shown
from kilonova.api.compute import Compute
from kilonova.api.fields import Name
from kilonova.api.server_access import is_admin
from kilonova.api.server_fields import AnyIp, Uuid
from kilonova.api.server_group_store import GroupNotFound, group_find_txn
from kilonova.api.shapes import ANYTHING, TEXT, by_key, either, listed, text
from kilonova.kernel.errors import Invalid
from kilonova.kernel.ids import is_uuid
from kilonova.kernel.schemas import Schema
from kilonova.objects.caller import Caller
from kilonova.objects.server_group import ServerGroup
from kilonova.web.call import Call

SPELLINGS = ("os:scheduler_hints", "OS-SCH-HNT:scheduler_hints")
"""The first one given counts."""
_UUIDS = either(Uuid.schema, listed(Uuid.schema))
_HINTS: Schema = {
    "type": "object",
    "properties": {
        "group": either(Uuid.schema, {**listed(Uuid.schema), "minItems": 1, "maxItems": 1}),
        "different_host": _UUIDS,
        "same_host": _UUIDS,
        "query": either(TEXT, by_key(ANYTHING)),
        "cidr": text(4, pattern="^/[0-9]{1,3}$"),
        "target_cell": Name.schema,
        "build_near_host_ip": AnyIp.schema,
    },
}
HINTS = tuple((spelling, _HINTS) for spelling in SPELLINGS)
"""What may stand beside the server; other hints hold anything."""
_CIDR = re.compile(r"/[0-9]{1,3}")


class NoSuchGroup(Invalid):
    """Instance group {id} could not be found."""

    code = "hint-names-no-group"


def take(call: Call) -> dict[str, list[str]]:
    """Take the hints out of the body, each as a list of texts. Raises `Invalid`."""
    if not isinstance(call.body, dict):
        return {}
    given = [call.body.pop(name) for name in SPELLINGS if name in call.body]
    for hints in given:
        if not isinstance(hints, dict):
            raise BadField(field=SPELLINGS[0], value=shown(hints), reason="It must be an object")
        for name, value in hints.items():
            _check(name, value)
    return {name: _texts(value) for name, value in given[0].items()} if given else {}


async def group_of(caller: Caller, compute: Compute, hints: dict[str, list[str]]) -> ServerGroup | None:
    """The group that the new servers shall be members of. Raises `Invalid` for one that isn't there for the caller."""
    if not hints.get("group"):
        return None
    group_id = hints["group"][0]
    try:
        group = await compute.database.read(group_find_txn, group_id)
    except GroupNotFound as error:
        raise NoSuchGroup(id=group_id) from error
    if group.project_id != caller.project_id and not is_admin(caller, compute):
        raise NoSuchGroup(id=group_id)
    return group


def _check(name: str, value: object) -> None:
    """Refuse a known hint that doesn't fit; hints that only an operator's own filter knows may hold anything."""
    values = value if isinstance(value, list) else [value]
    refusal: str | None = None
    if name in {"group", "different_host", "same_host"} and not all(is_uuid(one) for one in values):
        refusal = "it must be a uuid"
    elif name == "group" and len(values) != 1:
        refusal = "a server can be a member of one group only"
    elif name == "query" and not isinstance(value, (str, dict)):
        refusal = "it must be a text or an object"
    elif name == "cidr" and not (isinstance(value, str) and _CIDR.fullmatch(value)):
        refusal = "it must be a slash and a number"
    elif name in {"target_cell", "build_near_host_ip"}:
        refusal = _misfit(Name if name == "target_cell" else AnyIp, value)
    if refusal is not None:
        raise BadField(field=f"os:scheduler_hints.{name}", value=shown(value), reason=refusal)


def _misfit(kind: type[Name] | type[AnyIp], value: object) -> str | None:
    try:
        kind.read(value)
    except ValueError as error:
        return str(error)
    return None


def _texts(value: Any) -> list[str]:
    return [_text(one) for one in value] if isinstance(value, list) else [_text(value)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
