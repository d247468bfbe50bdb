"""Flavors (Compute API reference, "Flavors")."""

import re
from collections.abc import Callable
from typing import Any, ClassVar, Self

from msgspec import Struct, structs

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.fields import Name, Positive, Truth, Whole
from kilonova.api.flavor_store import (
    FlavorRecord,
    flavor_add_txn,
    flavor_change_txn,
    flavor_find_txn,
    flavor_remove_txn,
    flavors_txn,
)
from kilonova.api.links import Links, links
from kilonova.api.paging import next_links, page
from kilonova.api.projects import own_project
from kilonova.api.query import Asked, BadParameter, ComputeRoute, Query
from kilonova.api.shapes import (
    LINKS,
    NO_BODY,
    NUMBER,
    TEXT,
    TRUTH,
    WHOLE,
    Takes,
    by_key,
    either,
    gives,
    listed,
    obj,
    or_null,
    shaped,
    text,
)
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Doc, Level
from kilonova.objects.caller import Caller
from kilonova.objects.flavor import Flavor
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

RXTX_MAX = 3.40282e38
"""The largest single-precision number: what databases of old could hold."""

LIST = Query(
    names=("is_public", "limit", "marker", "minDisk", "minRam", "name", "sort_dir", "sort_key"),
    shape="flavor_list_query",
    strict="strict-list-queries",
)

_SORT_KEYS: dict[str, Callable[[FlavorRecord], Any]] = {
    "flavorid": lambda record: record.flavor.id,
    "id": lambda record: record.created_at,
    "name": lambda record: record.flavor.name,
    "memory_mb": lambda record: record.flavor.memory_mb,
    "vcpus": lambda record: record.flavor.vcpus,
    "root_gb": lambda record: record.flavor.disk_gb,
    "ephemeral_gb": lambda record: record.flavor.ephemeral_gb,
    "swap": lambda record: record.flavor.swap_mb,
    "rxtx_factor": lambda record: record.flavor.rxtx_factor,
    "is_public": lambda record: record.flavor.public,
    "disabled": lambda record: record.flavor.disabled,
    "description": lambda record: record.flavor.description,
    "created_at": lambda record: record.created_at,
    "updated_at": lambda record: record.updated_at,
    "vcpu_weight": lambda _record: 0,
}


SUMMARY = shaped(obj({"id": TEXT, "name": TEXT, "description": or_null(TEXT), "links": LINKS}), "flavor_summary")
FLAVOR = shaped(
    obj(
        {
            "id": TEXT,
            "name": TEXT,
            "ram": WHOLE,
            "disk": WHOLE,
            "swap": WHOLE,
            "OS-FLV-EXT-DATA:ephemeral": WHOLE,
            "OS-FLV-DISABLED:disabled": TRUTH,
            "vcpus": WHOLE,
            "os-flavor-access:is_public": TRUTH,
            "rxtx_factor": NUMBER,
            "description": or_null(TEXT),
            "links": LINKS,
            "extra_specs?": by_key(TEXT),
        }
    ),
    "flavor",
)
_ONE = gives({"flavor": FLAVOR})


class FlavorId(str):
    """The id of a new flavor: a text, a number as text, or `auto` for one of our choice."""

    __slots__ = ()
    schema: ClassVar[Schema] = either(text(255, pattern="^[a-zA-Z0-9._-]([a-zA-Z0-9. _-]*[a-zA-Z0-9._-])?$"), NUMBER)

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        text = str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
        if not 1 <= len(text) <= 255 or not re.fullmatch(r"(?! )[a-zA-Z0-9. _-]+(?<! )", text):
            raise ValueError("it may hold 1 to 255 letters, digits, dots, dashes, underscores and inner spaces")
        return cls(text)


class RxtxFactor(float):
    """A number above zero, also as text."""

    schema: ClassVar[Schema] = either({"type": "number", "exclusiveMinimum": 0, "maximum": RXTX_MAX}, TEXT)

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else 0.0
        if not 0 < number <= RXTX_MAX:
            raise ValueError("it must be a number above 0")
        return cls(number)


class Description(str):
    """Up to 65,535 characters."""

    __slots__ = ()
    schema: ClassVar[Schema] = text(65535, shortest=0)

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        if not isinstance(value, str) or len(value) > 65535:
            raise ValueError("it must be a text of at most 65535 characters")
        if any(letter < " " and letter not in "\t\r\n" for letter in value):
            raise ValueError("it may not hold control characters")
        return cls(value)


class FlavorCreate(
    Struct,
    forbid_unknown_fields=True,
    rename={"ephemeral": "OS-FLV-EXT-DATA:ephemeral", "is_public": "os-flavor-access:is_public"},
):
    """The body of a create."""

    name: Name
    ram: Positive
    vcpus: Positive
    disk: Whole
    id: FlavorId | None = None
    ephemeral: Whole = Whole(0)
    swap: Whole = Whole(0)
    rxtx_factor: RxtxFactor = RxtxFactor(1.0)
    is_public: Truth = Truth(1)
    description: Description | None = None


class FlavorUpdate(Struct, forbid_unknown_fields=True):
    """The body of an update."""

    description: Description | None


class Flavors:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """List flavors, briefly."""
        return await self._list(call, summary)

    async def detail(self, call: Call) -> Reply:
        """List flavors."""
        specs = self._shows_specs(call)
        return await self._list(call, lambda flavor, level, at: document(flavor, level, at, specs=specs))

    async def show(self, call: Call) -> Reply:
        """Show one flavor."""
        flavor = await find(self._compute, call.user, call.params["id"])
        return self._one(call, flavor)

    async def create(self, call: Call) -> Reply:
        """Create a flavor."""
        self._compute.policy.enforce("os_compute_api:os-flavor-manage:create", call.user)
        asked = body.read(call, "flavor", FlavorCreate, "flavor_create")
        flavor = Flavor(
            id=self._compute.runtime.uuid() if asked.id in {None, "auto"} else str(asked.id),
            name=str(asked.name),
            vcpus=int(asked.vcpus),
            memory_mb=int(asked.ram),
            disk_gb=int(asked.disk),
            ephemeral_gb=int(asked.ephemeral),
            swap_mb=int(asked.swap),
            rxtx_factor=float(asked.rxtx_factor),
            public=bool(asked.is_public),
            description=_plain(asked.description),
        )
        await self._compute.database.write(flavor_add_txn, flavor)
        return self._one(call, flavor)

    async def update(self, call: Call) -> Reply:
        """Change the description of a flavor."""
        self._compute.policy.enforce("os_compute_api:os-flavor-manage:update", call.user)
        asked = body.read(call, "flavor", FlavorUpdate)
        flavor = await self._compute.database.write(
            flavor_change_txn,
            call.params["id"],
            lambda old: structs.replace(old, description=_plain(asked.description)),
        )
        return self._one(call, flavor)

    async def delete(self, call: Call) -> Reply:
        """Delete a flavor."""
        self._compute.policy.enforce("os_compute_api:os-flavor-manage:delete", call.user)
        await self._compute.database.write(flavor_remove_txn, call.params["id"])
        return Reply()

    async def _list(self, call: Call, tell: Callable[[Flavor, Level, Links], Doc]) -> Reply:
        asked = LIST.read(call)
        wanted = page(asked, self._compute)
        admin = sees_all(self._compute, call.user)
        records = await self._compute.database.read(
            flavors_txn,
            public=_public(asked) if admin else True,
            project_id=call.user.project_id,
            min_ram=asked.whole("minRam") or 0,
            min_disk=asked.whole("minDisk") or 0,
        )
        if not admin:
            records = [record for record in records if not record.flavor.disabled]
        name = asked.one("name")
        if name is not None:
            records = [record for record in records if record.flavor.name == name]
        flavors = wanted.of([record.flavor for record in _sorted(records, asked)], lambda flavor: flavor.id)
        level, at = call.version, links(call, self._compute)
        told: Doc = {"flavors": [tell(flavor, level, at) for flavor in flavors]}
        more = next_links(call, self._compute, wanted, [flavor.id for flavor in flavors])
        return Reply(told | {"flavors_links": more} if more else told)

    def _one(self, call: Call, flavor: Flavor) -> Reply:
        level = call.version
        told = document(flavor, level, links(call, self._compute), specs=self._shows_specs(call))
        return Reply({"flavor": told})

    def _shows_specs(self, call: Call) -> bool:
        return self._compute.policy.allows("os_compute_api:os-flavor-extra-specs:index", call.user)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of flavors."""
    flavors = Flavors(compute)
    return [
        ComputeRoute(
            method="GET",
            path="/flavors",
            handler=flavors.index,
            query=LIST,
            gives=gives({"flavors": listed(SUMMARY), "flavors_links?": LINKS}),
        ),
        ComputeRoute(
            method="POST",
            path="/flavors",
            handler=flavors.create,
            body=Body.JSON,
            takes=Takes(kind=FlavorCreate, under="flavor", shape="flavor_create"),
            gives=_ONE,
        ),
        ComputeRoute(
            method="GET",
            path="/flavors/detail",
            handler=flavors.detail,
            query=LIST,
            gives=gives({"flavors": listed(FLAVOR), "flavors_links?": LINKS}),
        ),
        ComputeRoute(method="GET", path="/flavors/{id}", handler=flavors.show, gives=_ONE),
        ComputeRoute(
            method="PUT",
            path="/flavors/{id}",
            handler=flavors.update,
            body=Body.JSON,
            since="2.55",
            takes=Takes(kind=FlavorUpdate, under="flavor"),
            gives=_ONE,
        ),
        ComputeRoute(method="DELETE", path="/flavors/{id}", handler=flavors.delete, success=202, gives=NO_BODY),
    ]


def sees_all(compute: Compute, caller: Caller) -> bool:
    """Whether `caller` sees flavors that are not public or disabled."""
    return compute.policy.allows("context_is_admin", caller)


async def find(compute: Compute, caller: Caller, flavor_id: str) -> Flavor:
    """A flavor that `caller` may see. Raises `FlavorNotFound`."""
    seen_by = None if sees_all(compute, caller) else own_project(caller)
    return await compute.database.read(flavor_find_txn, flavor_id, seen_by)


def summary(flavor: Flavor, level: Level, at: Links) -> Doc:
    """A flavor as brief lists tell it."""
    doc = {
        "id": flavor.id,
        "name": flavor.name,
        "description": flavor.description,
        "links": at.both("flavors", flavor.id),
    }
    return level.down("flavor_summary", doc)


def document(flavor: Flavor, level: Level, at: Links, *, specs: bool) -> Doc:
    """A flavor as it is told at `level`; with its extra specs if `specs`."""
    doc: Doc = {
        "id": flavor.id,
        "name": flavor.name,
        "ram": flavor.memory_mb,
        "disk": flavor.disk_gb,
        "swap": flavor.swap_mb,
        "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral_gb,
        "OS-FLV-DISABLED:disabled": flavor.disabled,
        "vcpus": flavor.vcpus,
        "os-flavor-access:is_public": flavor.public,
        "rxtx_factor": flavor.rxtx_factor,
        "description": flavor.description,
        "links": at.both("flavors", flavor.id),
    }
    if specs:
        doc["extra_specs"] = flavor.extra_specs
    return level.down("flavor", doc)


def _plain(text: str | None) -> str | None:
    return None if text is None else str(text)


def _public(asked: Asked) -> bool | None:
    text = asked.one("is_public")
    if text is None:
        return True
    if text.lower() == "none":
        return None
    try:
        return asked.truth("is_public")
    except BadParameter as error:
        raise BadParameter(name="is_public", value=text[:100], reason="It must be true, false or none.") from error


def _sorted(records: list[FlavorRecord], asked: Asked) -> list[FlavorRecord]:
    key, direction = asked.one("sort_key") or "flavorid", asked.one("sort_dir") or "asc"
    if key not in _SORT_KEYS:
        raise BadParameter(
            name="sort_key", value=key[:100], reason=f"It must be one of {', '.join(sorted(_SORT_KEYS))}."
        )
    if direction not in {"asc", "desc"}:
        raise BadParameter(name="sort_dir", value=direction[:100], reason="It must be asc or desc.")
    value = _SORT_KEYS[key]
    return sorted(records, key=lambda record: (value(record) is not None, value(record)), reverse=direction == "desc")
