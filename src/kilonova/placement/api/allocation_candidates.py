"""Allocation candidates (Placement API, "Allocation candidates"): one request group, answered by single providers."""

from collections.abc import Mapping
from typing import Any

import msgspec

from kilonova.database.database import Transaction
from kilonova.kernel.versions import Level
from kilonova.placement import candidates, queries
from kilonova.placement.api.context import Api, level_of
from kilonova.placement.api.filters import query_of, require_names_txn, values_of, with_root_required
from kilonova.placement.errors import MissingQuery
from kilonova.placement.queries import Stock
from kilonova.placement.shapes import CandidateQuery, Provider
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

_PARAMETERS = ("resources", "required", "member_of", "in_tree", "limit", "root_required")


class Summary(msgspec.Struct, frozen=True):
    """Everything told of one candidate."""

    provider: Provider
    stocks: Mapping[str, Stock]
    traits: list[str]


def routes(api: Api) -> list[Route]:
    """The route of candidates."""
    return [Route(method="GET", path="/allocation_candidates", handler=_Candidates(api).list, since="1.10")]


class _Candidates:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, call: Call) -> Reply:
        self._api.allow(call, "allocation_candidates:list")
        level = level_of(call)
        values = values_of(call, "candidates_query", _PARAMETERS)
        if "resources" not in values:
            raise MissingQuery(parameter="resources")
        query = with_root_required(query_of(values, level), values, level)
        found = await self._api.database.scan(_summaries_txn, query)
        body = {
            "allocation_requests": [_request_view(level, one.provider.uuid, query) for one in found],
            "provider_summaries": {one.provider.uuid: _summary_view(level, one, query) for one in found},
        }
        return self._api.fresh(call, body)


def _summaries_txn(tx: Transaction, query: CandidateQuery) -> list[Summary]:
    require_names_txn(tx, query)
    found = candidates.providers_txn(tx, query)
    uuids = [provider.uuid for provider in found]
    stocks, traits = queries.stocks_txn(tx, uuids), queries.traits_txn(tx, uuids)
    return [Summary(one, stocks.get(one.uuid, {}), list(traits.get(one.uuid, {}))) for one in found]


def _request_view(level: Level, uuid: str, query: CandidateQuery) -> dict[str, Any]:
    doc = {"allocations": {uuid: {"resources": dict(query.resources)}}, "mappings": {"": [uuid]}}
    return level.down("allocation_request", doc)


def _summary_view(level: Level, summary: Summary, query: CandidateQuery) -> dict[str, Any]:
    whole = level.has("summaries-whole")
    doc = {
        "resources": {
            name: {"capacity": stock.inventory.capacity, "used": stock.used}
            for name, stock in summary.stocks.items()
            if whole or name in query.resources
        },
        "traits": summary.traits,
        "parent_provider_uuid": summary.provider.parent_uuid,
        "root_provider_uuid": summary.provider.root_uuid,
    }
    return level.down("provider_summary", doc)
