"""Usages of a provider and of a project (Placement API, "Usages")."""

import re
from collections.abc import Mapping

from kilonova.database.database import Transaction
from kilonova.placement import queries
from kilonova.placement.api.context import Api, level_of, provider_uuid
from kilonova.placement.api.filters import values_of
from kilonova.placement.errors import BadQuery
from kilonova.placement.queries import Stock
from kilonova.placement.shapes import Provider
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

UNKNOWN_TYPE = "unknown"
"""The type shown of consumers that have none."""

_ALL_TYPES = "all"
_TYPE = re.compile(f"[A-Z0-9_]+|{_ALL_TYPES}|{UNKNOWN_TYPE}")
_LENGTH_MAX = 255

_ByType = Mapping[str | None, tuple[int, Mapping[str, int]]]


def routes(api: Api) -> list[Route]:
    """The routes of usages."""
    resource = _Usages(api)
    return [
        Route(method="GET", path="/resource_providers/{uuid}/usages", handler=resource.of_provider),
        Route(method="GET", path="/usages", handler=resource.of_project, since="1.9"),
    ]


class _Usages:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def of_provider(self, call: Call) -> Reply:
        self._api.allow(call, "resource_providers:usages")
        provider, stocks = await self._api.database.read(_of_provider_txn, provider_uuid(call))
        usages = {name: stock.used for name, stock in stocks.items()}
        return self._api.fresh(call, {"resource_provider_generation": provider.generation, "usages": usages})

    async def of_project(self, call: Call) -> Reply:
        self._api.allow(call, "usages", {"project_id": call.request.query_params.get("project_id")})
        values = values_of(call, "usages_query", ("project_id", "user_id", "consumer_type"))
        if "project_id" not in values:
            raise BadQuery(reason="'project_id' is a required property  Failed validating 'required' in schema")
        for name, given in values.items():
            _require_length(name, given[-1])
        project = values["project_id"][-1]
        user = values["user_id"][-1] if "user_id" in values else None
        by_type = await self._api.database.scan(queries.usages_txn, project, user)
        if not level_of(call).has("usages-by-type"):
            return self._api.fresh(call, {"usages": _total(by_type)[1]})
        return self._api.fresh(call, {"usages": _grouped(by_type, values.get("consumer_type", (None,))[-1])})


def _require_length(name: str, value: str) -> None:
    """Raise `BadQuery` for a value that is too short, too long or no consumer type."""
    if not value:
        raise BadQuery(reason=f"{value!r} is too short  Failed validating 'minLength' in schema")
    if len(value) > _LENGTH_MAX:
        raise BadQuery(reason=f"{value!r} is too long  Failed validating 'maxLength' in schema")
    if name == "consumer_type" and not _TYPE.fullmatch(value):
        raise BadQuery(reason=f"{value!r} does not match '{_TYPE.pattern}'  Failed validating 'pattern' in schema")


def _of_provider_txn(tx: Transaction, uuid: str) -> tuple[Provider, Mapping[str, Stock]]:
    return queries.provider_txn(tx, uuid), queries.inventories_txn(tx, uuid)


def _total(by_type: _ByType) -> tuple[int, dict[str, int]]:
    count = 0
    totals: dict[str, int] = {}
    for consumers, amounts in by_type.values():
        count += consumers
        for name, amount in amounts.items():
            totals[name] = totals.get(name, 0) + amount
    return count, totals


def _grouped(by_type: _ByType, wanted: str | None) -> dict[str, dict[str, int]]:
    """The usages by consumer type: all of them, one of them, or `all` added up."""
    if wanted == _ALL_TYPES:
        shown = {_ALL_TYPES: _total(by_type)} if by_type else {}
    else:
        shown = {kind or UNKNOWN_TYPE: (count, dict(amounts)) for kind, (count, amounts) in by_type.items()}
    return {
        kind: {"consumer_count": count, **amounts}
        for kind, (count, amounts) in shown.items()
        if wanted in {None, _ALL_TYPES, kind}
    }
