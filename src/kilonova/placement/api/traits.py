"""Traits, and those of a provider (Placement API, "Traits", "Resource provider traits")."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Conflict, Invalid, NotFound
from kilonova.placement import names, queries, store
from kilonova.placement.api.context import Api, body_of, location, provider_uuid, require_generation
from kilonova.placement.api.filters import Values, values_of
from kilonova.placement.providers import require_traits_txn
from kilonova.placement.shapes import Provider
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route


class NoSuchTrait(NotFound):
    """No such trait(s): {name}."""


class BadNames(Invalid):
    """Badly formatted name parameter.

    Expected name query string parameter in form: ?name=[in|startswith]:[name1,name2|prefix]. Got: "{given}"
    """


class TraitInUse(Conflict):
    """The trait {name} is in use by a resource provider."""


class BadTrait(Invalid):
    """The trait is invalid.

    A valid trait must be no longer than 255 characters, start with the prefix "CUSTOM_" and use following characters:
    "A"-"Z", "0"-"9" and "_"
    """


class TraitsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The traits of a provider as the client saw it."""

    traits: list[Annotated[str, msgspec.Meta(min_length=1, max_length=255)]]
    resource_provider_generation: int


def routes(api: Api) -> list[Route]:
    """The routes of traits."""
    resource = _Traits(api)
    of_provider = "/resource_providers/{uuid}/traits"
    return [
        Route(method="GET", path="/traits", handler=resource.list, since="1.6"),
        Route(method="GET", path="/traits/{name}", handler=resource.show, since="1.6", success=204),
        Route(method="PUT", path="/traits/{name}", handler=resource.ensure, since="1.6", success=204),
        Route(method="DELETE", path="/traits/{name}", handler=resource.delete, since="1.6", success=204),
        Route(method="GET", path=of_provider, handler=resource.of_provider, since="1.6"),
        Route(method="PUT", path=of_provider, handler=resource.replace, since="1.6"),
        Route(method="DELETE", path=of_provider, handler=resource.clear, since="1.6", success=204),
    ]


class _Traits:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, call: Call) -> Reply:
        self._api.allow(call, "traits:list")
        values = values_of(call, "traits_query", ("name", "associated"))
        custom, associated = await self._api.database.scan(_list_txn)
        every = sorted({*names.standard_traits(), *custom})
        return self._api.fresh(call, {"traits": _selected(every, frozenset(associated), values)})

    async def show(self, call: Call) -> Reply:
        self._api.allow(call, "traits:show")
        name = call.params["name"]
        made_at = (await self._api.database.read(queries.custom_names_txn, "traits")).get(name)
        if made_at is None and name not in names.standard_traits():
            raise NoSuchTrait(name=name)
        return self._api.fresh(call, None, made_at)

    async def ensure(self, call: Call) -> Reply:
        self._api.allow(call, "traits:update")
        name = call.params["name"]
        if not names.is_custom(name):
            raise BadTrait
        made = await self._api.database.write(_ensure_txn, name)
        headers = {"Location": location(call, f"/traits/{name}")}
        return self._api.fresh(call, None, status=201 if made else 204, headers=headers)

    async def delete(self, call: Call) -> Reply:
        self._api.allow(call, "traits:delete")
        name = call.params["name"]
        if name in names.standard_traits():
            raise Invalid(reason=f"Cannot delete standard trait {name}.")
        await self._api.database.write(_delete_txn, name)
        return Reply()

    async def of_provider(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:traits:list")
        return self._reply(call, *await self._api.database.read(_of_provider_txn, provider_uuid(call)))

    async def replace(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:traits:update")
        body = await body_of(call, TraitsBody)
        wanted, generation = frozenset(body.traits), body.resource_provider_generation
        found = await self._api.database.write(_replace_txn, provider_uuid(call), wanted, generation)
        return self._reply(call, *found)

    async def clear(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:traits:delete")
        await self._api.database.write(_replace_txn, provider_uuid(call), frozenset(), None)
        return Reply()

    def _reply(self, call: Call, provider: Provider, traits: Sequence[str]) -> Reply:
        body = {"traits": traits, "resource_provider_generation": provider.generation}
        return self._api.fresh(call, body, provider.updated_at)


def _selected(every: Sequence[str], associated: frozenset[str], values: Values) -> list[str]:
    """Those that the query wants: `name=in:A,B` or `name=startswith:PREFIX`, `associated=true|false`."""
    found = list(every)
    if "name" in values:
        operator, colon, operand = values["name"][-1].partition(":")
        if not colon:
            raise BadNames(given=values["name"][-1])
        if operator == "in":
            wanted = operand.split(",")
            found = [name for name in found if name in wanted]
        elif operator == "startswith":
            found = [name for name in found if name.startswith(operand)]
    if "associated" in values:
        wish = values["associated"][-1].lower()
        if wish not in {"true", "false"}:
            raise Invalid(reason='The query parameter "associated" only accepts "true" or "false"')
        found = [name for name in found if (name in associated) == (wish == "true")]
    return found


def _list_txn(tx: Transaction) -> tuple[list[str], list[str]]:
    return list(queries.custom_names_txn(tx, "traits")), queries.associated_traits_txn(tx)


def _ensure_txn(tx: Transaction, name: str) -> bool:
    if name in queries.custom_names_txn(tx, "traits"):
        return False
    store.custom_insert_txn(tx, "traits", [name])
    return True


def _delete_txn(tx: Transaction, name: str) -> None:
    if queries.trait_in_use_txn(tx, name):
        raise TraitInUse(name=name)
    if not store.custom_delete_txn(tx, "traits", name):
        raise NoSuchTrait(name=name)


def _of_provider_txn(tx: Transaction, uuid: str) -> tuple[Provider, list[str]]:
    return queries.provider_txn(tx, uuid), list(queries.traits_txn(tx, [uuid]).get(uuid, {}))


def _replace_txn(
    tx: Transaction, uuid: str, wanted: frozenset[str], generation: int | None
) -> tuple[Provider, list[str]]:
    provider = queries.provider_txn(tx, uuid)
    if generation is not None:
        require_generation(provider, generation)
    require_traits_txn(tx, wanted, "No such trait")
    before = queries.traits_txn(tx, [uuid]).get(uuid, {})
    if wanted == before.keys():
        return _of_provider_txn(tx, uuid)
    store.traits_delete_txn(tx, [(uuid, trait) for trait in before if trait not in wanted])
    store.traits_insert_txn(tx, [(uuid, trait) for trait in sorted(wanted) if trait not in before], reported=False)
    store.providers_advance_txn(tx, [uuid])
    return _of_provider_txn(tx, uuid)
