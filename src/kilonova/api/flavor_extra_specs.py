"""Extra specs of flavors (Compute API reference, "Flavors extra-specs")."""

import re
from collections.abc import Mapping

from msgspec import structs

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.extra_specs import check_spec
from kilonova.api.flavor_store import flavor_change_txn
from kilonova.api.flavors import find
from kilonova.api.query import ComputeRoute
from kilonova.api.shapes import NO_BODY, NUMBER, TEXT, Gives, Takes, by_key, either, gives, text
from kilonova.kernel.errors import Invalid, NotFound
from kilonova.kernel.schemas import Schema
from kilonova.objects.flavor import Flavor
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_KEY = re.compile(r"[a-zA-Z0-9\-_:. ]{1,255}")
_RULE = "os_compute_api:os-flavor-extra-specs:"


_SPECS = gives({"extra_specs": by_key(TEXT)})
_SPEC = (Gives(body=by_key(TEXT)),)
_GIVEN: Schema = {
    "type": "object",
    "propertyNames": {"pattern": f"^{_KEY.pattern}$"},
    "additionalProperties": either(text(255, shortest=0), NUMBER),
}


class NoSuchSpec(NotFound):
    """Flavor {flavor_id} has no extra specs with key {key}."""

    code = "no-such-extra-spec"


class KeyMismatch(Invalid):
    """Request body and URI mismatch"""

    code = "extra-spec-mismatch"


class FlavorExtraSpecs:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """All extra specs of a flavor."""
        self._compute.policy.enforce(_RULE + "index", call.user)
        flavor = await find(self._compute, call.user, call.params["flavor_id"])
        return Reply({"extra_specs": flavor.extra_specs})

    async def show(self, call: Call) -> Reply:
        """One extra spec of a flavor."""
        self._compute.policy.enforce(_RULE + "show", call.user)
        flavor, key = await find(self._compute, call.user, call.params["flavor_id"]), call.params["id"]
        return Reply({key: _spec(flavor, key)})

    async def create(self, call: Call) -> Reply:
        """Add extra specs to a flavor, or change them."""
        self._compute.policy.enforce(_RULE + "create", call.user)
        specs = read_specs(call, body.inner(call, "extra_specs"))
        await self._merge(call.params["flavor_id"], specs)
        return Reply({"extra_specs": specs})

    async def update(self, call: Call) -> Reply:
        """Set one extra spec of a flavor."""
        self._compute.policy.enforce(_RULE + "update", call.user)
        if not isinstance(call.body, dict) or list(call.body) != [call.params["id"]]:
            raise KeyMismatch
        specs = read_specs(call, call.body)
        await self._merge(call.params["flavor_id"], specs)
        return Reply(specs)

    async def delete(self, call: Call) -> Reply:
        """Remove one extra spec of a flavor."""
        self._compute.policy.enforce(_RULE + "delete", call.user)
        key = call.params["id"]

        def without(flavor: Flavor) -> Flavor:
            _spec(flavor, key)
            rest = {name: value for name, value in flavor.extra_specs.items() if name != key}
            return structs.replace(flavor, extra_specs=rest)

        await self._compute.database.write(flavor_change_txn, call.params["flavor_id"], without)
        return Reply()

    async def _merge(self, flavor_id: str, specs: Mapping[str, str]) -> None:
        await self._compute.database.write(
            flavor_change_txn,
            flavor_id,
            lambda flavor: structs.replace(flavor, extra_specs={**flavor.extra_specs, **specs}),
        )


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of extra specs."""
    specs = FlavorExtraSpecs(compute)
    every, one = "/flavors/{flavor_id}/os-extra_specs", "/flavors/{flavor_id}/os-extra_specs/{id}"
    return [
        ComputeRoute(method="GET", path=every, handler=specs.index, gives=_SPECS),
        ComputeRoute(
            method="POST",
            path=every,
            handler=specs.create,
            body=Body.JSON,
            takes=Takes(schema=_GIVEN, under="extra_specs"),
            gives=_SPECS,
        ),
        ComputeRoute(method="GET", path=one, handler=specs.show, gives=_SPEC),
        ComputeRoute(
            method="PUT",
            path=one,
            handler=specs.update,
            body=Body.JSON,
            takes=Takes(schema={**_GIVEN, "minProperties": 1, "maxProperties": 1}),
            gives=_SPEC,
        ),
        ComputeRoute(method="DELETE", path=one, handler=specs.delete, gives=NO_BODY),
    ]


def read_specs(call: Call, doc: Mapping[str, object]) -> dict[str, str]:
    """Extra specs from a body. Raises `BadField`; also for what known namespaces don't know, since 2.86."""
    specs: dict[str, str] = {}
    for key, value in doc.items():
        if not _KEY.fullmatch(key):
            raise body.BadField(
                field="extra_specs",
                value=body.shown(key),
                reason="A key holds 1 to 255 letters, digits, spaces and -_:.",
            )
        if not isinstance(value, (str, int, float)) or isinstance(value, bool) or len(str(value)) > 255:
            raise body.BadField(
                field=key, value=body.shown(value), reason="It must be a text or number of at most 255 characters"
            )
        specs[key] = str(value)
    if call.version.has("extra-specs-validated"):
        for key, text in specs.items():
            check_spec(key, text)
    return specs


def _spec(flavor: Flavor, key: str) -> str:
    if key not in flavor.extra_specs:
        raise NoSuchSpec(flavor_id=flavor.id, key=key)
    return flavor.extra_specs[key]
