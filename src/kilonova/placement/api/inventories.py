"""Inventories of a provider (Placement API, "Resource provider inventories")."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Invalid, NotFound
from kilonova.kernel.versions import Level
from kilonova.placement import providers, queries, store
from kilonova.placement.api.context import Api, body_of, level_of, location, provider_uuid
from kilonova.placement.api.faults import uncoded
from kilonova.placement.errors import ConcurrentUpdate
from kilonova.placement.queries import Stock
from kilonova.placement.shapes import MAX_UNIT, Inventory, Provider
from kilonova.web.call import Call, Reply
from kilonova.web.errors import Fault
from kilonova.web.routing import Route

_Amount = Annotated[int, msgspec.Meta(ge=1, le=MAX_UNIT)]
_Ratio = Annotated[float, msgspec.Meta(ge=0, le=3.40282e38)]
_ClassName = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern="^[A-Z0-9_]+$")]


class NoSuchInventory(NotFound):
    """No inventory of class {resource_class} for {uuid}"""


class NoneToDelete(NotFound):
    """No inventory of class {resource_class} found for delete"""


class InventoryExists(ConcurrentUpdate):
    """Update conflict: resource provider {uuid} already has an inventory of class {resource_class}."""


class OneInUse(ConcurrentUpdate):
    """Unable to delete inventory of class {resource_class}:

    Inventory for '{resource_class}' on resource provider '{uuid}' in use.
    """


class GenerationConflict(ConcurrentUpdate):
    """resource provider generation conflict: {uuid} has generation {actual}, not {given}. Please retry your update"""


class NothingLeft(Invalid):
    """Unable to {verb} inventory for resource provider {uuid}:

    Invalid inventory for '{resource_class}' on resource provider '{uuid}'. The reserved value is {how} total.
    """


class InventoryBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One inventory as a client says it."""

    total: _Amount
    reserved: Annotated[int, msgspec.Meta(ge=0, le=MAX_UNIT)] = 0
    min_unit: _Amount = 1
    max_unit: _Amount = MAX_UNIT
    step_size: _Amount = 1
    allocation_ratio: _Ratio = 1.0
    resource_provider_generation: int | None = None
    """Of no effect where the provider's generation is said once for all its inventories."""

    @property
    def inventory(self) -> Inventory:
        """What it says."""
        return Inventory(
            total=self.total,
            reserved=self.reserved,
            min_unit=self.min_unit,
            max_unit=self.max_unit,
            step_size=self.step_size,
            allocation_ratio=self.allocation_ratio,
        )


class OneInventoryBody(InventoryBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One inventory, for the provider as the client saw it."""

    resource_provider_generation: int


class NewInventoryBody(InventoryBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One more inventory."""

    resource_class: _ClassName


class InventoriesBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All inventories, for the provider as the client saw it."""

    resource_provider_generation: int
    inventories: dict[_ClassName, InventoryBody]


def routes(api: Api) -> list[Route]:
    """The routes of inventories."""
    resource = _Inventories(api)
    every = "/resource_providers/{uuid}/inventories"
    one = f"{every}/{{resource_class}}"
    return [
        Route(method="GET", path=every, handler=resource.list),
        Route(method="PUT", path=every, handler=resource.replace),
        Route(method="POST", path=every, handler=resource.create, success=201),
        Route(method="DELETE", path=every, handler=resource.not_yet, until="1.4", success=405),
        Route(method="DELETE", path=every, handler=resource.delete_all, since="1.5", success=204),
        Route(method="GET", path=one, handler=resource.show),
        Route(method="PUT", path=one, handler=resource.update),
        Route(method="DELETE", path=one, handler=resource.delete, success=204),
    ]


class _Inventories:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:inventories:list")
        return self._all(call, *await self._api.database.read(_list_txn, provider_uuid(call)))

    async def show(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:inventories:show")
        provider, stocks = await self._api.database.read(_list_txn, provider_uuid(call))
        name = call.params["resource_class"]
        if name not in stocks:
            raise NoSuchInventory(resource_class=name, uuid=provider.uuid)
        return self._one(call, provider.generation, stocks[name].inventory, stocks[name].updated_at)

    async def replace(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:inventories:update")
        body, uuid = await body_of(call, InventoriesBody), provider_uuid(call)
        wanted = {name: one.inventory for name, one in body.inventories.items()}
        for name, inventory in wanted.items():
            require_capacity(level_of(call), "update", uuid, name, inventory)
        generation = body.resource_provider_generation
        return self._all(call, *await self._api.database.write(_replace_txn, uuid, wanted, generation))

    async def create(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:inventories:create")
        body, uuid = await body_of(call, NewInventoryBody), provider_uuid(call)
        inventory = body.inventory
        require_capacity(level_of(call), "create", uuid, body.resource_class, inventory)
        generation = await self._api.database.write(
            _create_txn, uuid, body.resource_class, inventory, body.resource_provider_generation
        )
        at = location(call, f"/resource_providers/{uuid}/inventories/{body.resource_class}")
        return self._one(call, generation, inventory, None, headers={"Location": at})

    async def update(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:inventories:update")
        body, uuid = await body_of(call, OneInventoryBody), provider_uuid(call)
        inventory, name = body.inventory, call.params["resource_class"]
        require_capacity(level_of(call), "update", uuid, name, inventory)
        generation = await self._api.database.write(
            _update_txn, uuid, name, inventory, body.resource_provider_generation
        )
        return self._one(call, generation, inventory, None)

    async def delete(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:inventories:delete")
        await self._api.database.write(_delete_txn, provider_uuid(call), call.params["resource_class"])
        return Reply()

    async def delete_all(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:inventories:delete")
        await self._api.database.write(_replace_txn, provider_uuid(call), {}, None)
        return Reply()

    async def not_yet(self, call: Call) -> Reply:
        """Before 1.5 the path is known and the method isn't."""
        fault = Fault(405, "The method DELETE is not allowed for this resource.", "wrong-method", call.request_id)
        body, media_type = uncoded(fault)
        return Reply(body, media_type=media_type, headers={"Allow": "GET, POST, PUT"})

    def _all(self, call: Call, provider: Provider, stocks: Mapping[str, Stock]) -> Reply:
        body = {
            "resource_provider_generation": provider.generation,
            "inventories": {name: _view(stock.inventory) for name, stock in stocks.items()},
        }
        return self._api.fresh(call, body, max((stock.updated_at for stock in stocks.values()), default=None))

    def _one(self, call: Call, generation: int, inventory: Inventory, changed_at: float | None, **more: Any) -> Reply:
        body = {"resource_provider_generation": generation, **_view(inventory)}
        return self._api.fresh(call, body, changed_at, **more)


def _view(inventory: Inventory) -> dict[str, Any]:
    return msgspec.structs.asdict(inventory)


def require_capacity(level: Level, verb: str, uuid: str, resource_class: str, inventory: Inventory) -> None:
    """Raise `NothingLeft` when too much is reserved: more than there is, or, before 1.26, all of it."""
    most = level.has("all-reserved")
    if inventory.capacity < 0 or (inventory.capacity == 0 and not most):
        how = "greater than" if most else "greater than or equal to"
        raise NothingLeft(verb=verb, uuid=uuid, resource_class=resource_class, how=how)


def _list_txn(tx: Transaction, uuid: str) -> tuple[Provider, Mapping[str, Stock]]:
    return queries.provider_txn(tx, uuid), queries.inventories_txn(tx, uuid)


def _replace_txn(
    tx: Transaction, uuid: str, wanted: Mapping[str, Inventory], generation: int | None
) -> tuple[Provider, Mapping[str, Stock]]:
    provider = queries.provider_txn(tx, uuid)
    _advance(tx, provider, generation)
    providers.require_classes_txn(tx, wanted, f"Unknown resource class in inventory for resource provider {uuid}")
    providers.inventories_replace_txn(tx, uuid, queries.inventories_txn(tx, uuid), wanted)
    return _list_txn(tx, uuid)


def _create_txn(tx: Transaction, uuid: str, name: str, inventory: Inventory, generation: int | None) -> int:
    provider = queries.provider_txn(tx, uuid)
    _advance(tx, provider, generation)
    providers.require_classes_txn(tx, [name], f"Unable to create inventory for resource provider {uuid}")
    if name in queries.inventories_txn(tx, uuid):
        raise InventoryExists(uuid=uuid, resource_class=name)
    store.inventories_insert_txn(tx, [(uuid, name, inventory)])
    return provider.generation + 1


def _update_txn(tx: Transaction, uuid: str, name: str, inventory: Inventory, generation: int) -> int:
    provider = queries.provider_txn(tx, uuid)
    _advance(tx, provider, generation)
    if name not in queries.inventories_txn(tx, uuid):
        raise Invalid(reason=f"No inventory record with resource class {name} for resource provider {uuid}.")
    store.inventories_update_txn(tx, [(uuid, name, inventory)])
    return provider.generation + 1


def _delete_txn(tx: Transaction, uuid: str, name: str) -> None:
    provider = queries.provider_txn(tx, uuid)
    if name not in queries.inventories_txn(tx, uuid):
        raise NoneToDelete(resource_class=name)
    if not store.inventory_delete_txn(tx, uuid, name):
        raise OneInUse(resource_class=name, uuid=uuid)
    _advance(tx, provider, None)


def _advance(tx: Transaction, provider: Provider, generation: int | None) -> None:
    """Raise the provider's generation, from the one the client saw where it said so."""
    if generation is not None and generation != provider.generation:
        raise GenerationConflict(uuid=provider.uuid, actual=provider.generation, given=generation)
    if not store.provider_advance_from_txn(tx, provider.uuid, provider.generation):
        raise ConcurrentUpdate(reason=f"resource provider {provider.uuid} was changed meanwhile.")
