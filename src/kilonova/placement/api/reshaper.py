"""The reshaper: inventories and allocations of many providers and consumers, moved together (Placement API, "Reshaper").

Design notes. What is held of an inventory that goes has to leave before the inventory does, and what arrives in a new one can
only come when it is there. So new and changed inventories are written first, then all allocations, and inventories that are
wanted no more are deleted last; each keeps its own condition, and all of it is one transaction. Each of the three raises the
generations of the providers that it touches, as clients know it.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Invalid
from kilonova.kernel.versions import Level
from kilonova.placement import providers, queries, store
from kilonova.placement.api.allocations import AllocationsBody, bodies_read, conflict, replace_txn
from kilonova.placement.api.context import Api, document_of, level_of, read, require_uuid
from kilonova.placement.api.inventories import InventoriesBody
from kilonova.placement.claims import Refused
from kilonova.placement.errors import ConcurrentUpdate
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

BODY_MAX = 8 << 20
"""Largest body, in bytes: all that is held of many providers may be moved at once."""

_MALFORMED = "malformed reshaper data"
_Uuid = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F-]{36}$")]
_Bodies = Sequence[tuple[str, AllocationsBody]]


class NoSuchProvider(Invalid):
    """Resource provider {uuid} in inventories not found: No resource provider with uuid {uuid} found."""

    code = "placement.resource_provider.not_found"


class GenerationConflict(ConcurrentUpdate):
    """resource provider generation conflict for provider {uuid}: actual: {actual}, given: {given}"""


class ReshaperBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all these providers shall have, and all these consumers hold."""

    inventories: Annotated[dict[_Uuid, InventoriesBody], msgspec.Meta(min_length=1)]
    allocations: dict[_Uuid, Any]


def routes(api: Api) -> list[Route]:
    """Its route."""
    return [Route(method="POST", path="/reshaper", handler=_Reshaper(api).reshape, since="1.30", success=204)]


class _Reshaper:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def reshape(self, call: Call) -> Reply:
        self._api.allow(call, "reshaper:reshape")
        body = read(call, await document_of(call, BODY_MAX), ReshaperBody)
        inventories = {require_uuid(uuid): one for uuid, one in body.inventories.items()}
        bodies = bodies_read(call, body.allocations)
        try:
            await self._api.database.write(_reshape_txn, inventories, bodies, level_of(call))
        except Refused as refused:
            raise conflict(refused) from refused
        return Reply()


def _reshape_txn(tx: Transaction, wanted: Mapping[str, InventoriesBody], bodies: _Bodies, level: Level) -> None:
    known = queries.providers_txn(tx, wanted)
    for uuid, body in wanted.items():
        if uuid not in known:
            raise NoSuchProvider(uuid=uuid)
        actual, given = known[uuid].generation, body.resource_provider_generation
        if actual != given:
            raise GenerationConflict(uuid=uuid, actual=actual, given=given)
    classes = {name for body in wanted.values() for name in body.inventories}
    providers.require_classes_txn(tx, classes, _MALFORMED)
    for uuid, body in wanted.items():
        before = queries.inventories_txn(tx, uuid)
        kept = {name: stock.inventory for name, stock in before.items()}
        new = {name: one.inventory for name, one in body.inventories.items()}
        providers.inventories_replace_txn(tx, uuid, before, kept | new)
    store.providers_advance_txn(tx, [uuid for uuid, body in wanted.items() if body.inventories])
    replace_txn(tx, bodies, level, _MALFORMED)
    for uuid, body in wanted.items():
        after = {name: one.inventory for name, one in body.inventories.items()}
        providers.inventories_replace_txn(tx, uuid, queries.inventories_txn(tx, uuid), after)
    store.providers_advance_txn(tx, wanted)
