"""Resource providers (Placement API, "Resource providers")."""

from typing import Annotated, Any

import msgspec

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Invalid
from kilonova.placement import candidates, providers, queries, store
from kilonova.placement.api.context import Api, body_of, href, level_of, provider_uuid, require_uuid
from kilonova.placement.api.filters import query_of, require_names_txn, values_of
from kilonova.placement.errors import DuplicateName
from kilonova.placement.shapes import CandidateQuery, Provider
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Route

_PARTS = ("inventories", "usages", "aggregates", "traits", "allocations")
_FILTERS = ("name", "uuid", "member_of", "resources", "in_tree", "required")


class ProviderBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client says about a provider."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    uuid: str | None = None
    parent_provider_uuid: str | None = None


class ProviderUpdateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client may change of a provider."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    parent_provider_uuid: str | None = None


def routes(api: Api) -> list[Route]:
    """The routes of providers."""
    resource = _Providers(api)
    one = "/resource_providers/{uuid}"
    return [
        Route(method="GET", path="/resource_providers", handler=resource.list),
        Route(method="POST", path="/resource_providers", handler=resource.create, body=Body.JSON, success=201),
        Route(method="GET", path=one, handler=resource.show),
        Route(method="PUT", path=one, handler=resource.update, body=Body.JSON),
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
        body = body_of(call, ProviderBody, "provider_body")
        _require_root(body.parent_provider_uuid)
        uuid = self._api.runtime.uuid() if body.uuid is None else require_uuid("uuid", body.uuid)
        provider = await self._api.database.write(_create_txn, uuid, body.name)
        headers = {"Location": href(call, f"/resource_providers/{uuid}")}
        if not level_of(call).has("provider-post-body"):
            return Reply(headers=headers)
        return self._api.fresh(call, view(call, provider), provider.updated_at, status=200, headers=headers)

    async def show(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:show")
        provider = await self._api.database.read(queries.provider_txn, provider_uuid(call))
        return self._api.fresh(call, view(call, provider), provider.updated_at)

    async def update(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:update")
        body = body_of(call, ProviderUpdateBody, "provider_body")
        _require_root(body.parent_provider_uuid)
        provider = await self._api.database.write(_update_txn, provider_uuid(call), body.name)
        return self._api.fresh(call, view(call, provider), provider.updated_at)

    async def delete(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:delete")
        await self._api.database.write(_delete_txn, provider_uuid(call))
        return Reply()


def _require_root(parent: str | None) -> None:
    if parent is not None:
        raise Invalid(reason="Providers below another provider are not supported here; leave parent_provider_uuid out.")


def _list_txn(tx: Transaction, query: CandidateQuery) -> list[Provider]:
    require_names_txn(tx, query)
    return candidates.providers_txn(tx, query)


def _create_txn(tx: Transaction, uuid: str, name: str) -> Provider:
    providers.require_names_free_txn(tx, {name: uuid})
    if queries.providers_txn(tx, [uuid]):
        raise DuplicateName(field="uuid", value=uuid)
    store.providers_insert_txn(tx, [(uuid, name)])
    return queries.provider_txn(tx, uuid)


def _update_txn(tx: Transaction, uuid: str, name: str) -> Provider:
    queries.provider_txn(tx, uuid)
    providers.require_names_free_txn(tx, {name: uuid})
    store.provider_rename_txn(tx, uuid, name)
    return queries.provider_txn(tx, uuid)


def _delete_txn(tx: Transaction, uuid: str) -> None:
    queries.provider_txn(tx, uuid)
    providers.remove_txn(tx, [uuid])
