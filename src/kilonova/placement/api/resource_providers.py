"""Resource providers (Placement API, "Resource providers")."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from kilonova.database.database import Transaction
from kilonova.kernel.errors import NotFound
from kilonova.placement import listing, providers, queries, trees
from kilonova.placement.api.context import Api, body_of, href, level_of, location, provider_uuid, require_uuid
from kilonova.placement.api.filters import query_of, require_names_txn, values_of
from kilonova.placement.errors import NoSuchProvider
from kilonova.placement.shapes import CandidateQuery, Provider
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

_PARTS = ("inventories", "usages", "aggregates", "traits", "allocations")
_FILTERS = ("name", "uuid", "member_of", "resources", "in_tree", "required")

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class NoneToDelete(NotFound):
    """No resource provider with uuid {uuid} found for delete"""


class ProviderBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client says about a provider."""

    name: _Name
    uuid: str | UnsetType = UNSET
    parent_provider_uuid: str | None = None


class ProviderUpdateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client may change of a provider."""

    name: _Name
    parent_provider_uuid: str | UnsetType | None = UNSET


def routes(api: Api) -> list[Route]:
    """The routes of providers."""
    resource = _Providers(api)
    one = "/resource_providers/{uuid}"
    return [
        Route(method="GET", path="/resource_providers", handler=resource.list),
        Route(method="POST", path="/resource_providers", handler=resource.create, success=201),
        Route(method="GET", path=one, handler=resource.show),
        Route(method="PUT", path=one, handler=resource.update),
        Route(method="DELETE", path=one, handler=resource.delete, success=204),
    ]


def view(call: Call, provider: Provider) -> dict[str, Any]:
    """A provider as it is shown."""
    at = href(call, f"/resource_providers/{provider.uuid}")
    doc = {
        "uuid": provider.uuid,
        "name": provider.name,
        "generation": provider.generation,
        "parent_provider_uuid": provider.parent_uuid,
        "root_provider_uuid": provider.root_uuid,
        "links": [
            {"rel": "self", "href": at},
            *({"rel": part, "href": f"{at}/{part}"} for part in _PARTS),
        ],
    }
    return level_of(call).down("provider", doc)


class _Providers:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:list")
        query = query_of(values_of(call, "providers_query", _FILTERS), level_of(call))
        found = await self._api.database.scan(_list_txn, query)
        body = {"resource_providers": [view(call, provider) for provider in found]}
        return self._api.fresh(call, body, max((provider.updated_at for provider in found), default=None))

    async def create(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:create")
        body = await body_of(call, ProviderBody, "provider_body")
        uuid = self._api.runtime.uuid() if body.uuid is UNSET else require_uuid(str(body.uuid))
        parent = None if body.parent_provider_uuid is None else require_uuid(body.parent_provider_uuid)
        provider = await self._api.database.write(trees.create_txn, uuid, body.name, parent)
        headers = {"Location": location(call, f"/resource_providers/{uuid}")}
        if not level_of(call).has("provider-post-body"):
            return Reply(headers=headers)
        return self._api.fresh(call, view(call, provider), provider.updated_at, status=200, headers=headers)

    async def show(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:show")
        provider = await self._api.database.read(queries.provider_txn, provider_uuid(call))
        return self._api.fresh(call, view(call, provider), provider.updated_at)

    async def update(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:update")
        body = await body_of(call, ProviderUpdateBody, "provider_body")
        if isinstance(body.parent_provider_uuid, str):
            body = msgspec.structs.replace(body, parent_provider_uuid=require_uuid(body.parent_provider_uuid))
        freely = level_of(call).has("reparent")
        provider = await self._api.database.write(_update_txn, provider_uuid(call), body, freely)
        return self._api.fresh(call, view(call, provider), provider.updated_at)

    async def delete(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:delete")
        try:
            await self._api.database.write(_delete_txn, provider_uuid(call))
        except NoSuchProvider as error:
            raise NoneToDelete(**error.details) from error
        return Reply()


def _list_txn(tx: Transaction, query: CandidateQuery) -> list[Provider]:
    require_names_txn(tx, query)
    return listing.providers_txn(tx, query)


def _update_txn(tx: Transaction, uuid: str, body: ProviderUpdateBody, freely: bool) -> Provider:
    provider = queries.provider_txn(tx, uuid)
    if body.parent_provider_uuid is not UNSET:
        trees.move_txn(tx, provider, body.parent_provider_uuid, freely=freely)
    trees.rename_txn(tx, uuid, body.name)
    return queries.provider_txn(tx, uuid)


def _delete_txn(tx: Transaction, uuid: str) -> None:
    queries.provider_txn(tx, uuid)
    providers.remove_txn(tx, [uuid])
