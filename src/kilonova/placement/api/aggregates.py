"""Aggregates of a provider (Placement API, "Resource provider aggregates")."""

from collections.abc import Sequence
from typing import Any

import msgspec

from kilonova.database.database import Transaction
from kilonova.placement import queries, store
from kilonova.placement.api.context import (
    Api,
    NotValid,
    body_of,
    document_of,
    level_of,
    provider_uuid,
    require_generation,
    require_uuid,
)
from kilonova.placement.api.validation import worded
from kilonova.placement.shapes import Provider
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route


class AggregatesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The aggregates of a provider as the client saw it."""

    aggregates: list[str]
    resource_provider_generation: int


def routes(api: Api) -> list[Route]:
    """The routes of aggregates."""
    resource = _Aggregates(api)
    path = "/resource_providers/{uuid}/aggregates"
    return [
        Route(method="GET", path=path, handler=resource.show, since="1.1"),
        Route(method="PUT", path=path, handler=resource.replace, since="1.1"),
    ]


class _Aggregates:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def show(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:aggregates:list")
        return self._reply(call, *await self._api.database.read(_show_txn, provider_uuid(call)))

    async def replace(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:aggregates:update")
        uuid = provider_uuid(call)
        await self._api.database.read(queries.provider_txn, uuid)
        generation = None
        if level_of(call).has("aggregates-generation"):
            body = await body_of(call, AggregatesBody)
            given, generation = body.aggregates, body.resource_provider_generation
        else:
            given = await _listed(call)
        wanted = [require_uuid(one) for one in given]
        if len(set(wanted)) < len(wanted):
            raise NotValid(reason=f"{given} has non-unique elements  Failed validating 'uniqueItems' in schema")
        provider = await self._api.database.write(_replace_txn, uuid, wanted, generation)
        return self._reply(call, provider, wanted)

    def _reply(self, call: Call, provider: Provider, aggregates: Sequence[str]) -> Reply:
        doc: dict[str, Any] = {"aggregates": aggregates, "resource_provider_generation": provider.generation}
        return self._api.fresh(call, level_of(call).down("aggregates", doc))


async def _listed(call: Call) -> list[str]:
    """The body before 1.19: a bare list."""
    document = await document_of(call)
    try:
        return msgspec.convert(document, list[str])
    except msgspec.ValidationError as error:
        raise NotValid(reason=worded(error, document)) from error


def _show_txn(tx: Transaction, uuid: str) -> tuple[Provider, list[str]]:
    return queries.provider_txn(tx, uuid), queries.aggregates_txn(tx, uuid)


def _replace_txn(tx: Transaction, uuid: str, wanted: Sequence[str], generation: int | None) -> Provider:
    provider = queries.provider_txn(tx, uuid)
    if generation is not None:
        require_generation(provider, generation)
        store.providers_advance_txn(tx, [uuid])
    store.aggregates_replace_txn(tx, uuid, wanted)
    return queries.provider_txn(tx, uuid)
