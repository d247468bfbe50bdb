"""Allocation candidates (Placement API, "Allocation candidates"): answered from memory, by `placement/search/`.

Long answers are made in parts, between which others on the loop get on.
"""

from kilonova.kernel.versions import Level
from kilonova.placement.api.candidate_query import query_of, require_names_txn
from kilonova.placement.api.context import Api, level_of
from kilonova.placement.search.rendering import Form, Rendering
from kilonova.placement.search.search import search
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route


def routes(api: Api) -> list[Route]:
    """The route of candidates."""
    return [Route(method="GET", path="/allocation_candidates", handler=_Candidates(api).list, since="1.10")]


class _Candidates:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, call: Call) -> Reply:
        self._api.allow(call, "allocation_candidates:list")
        query = query_of(call)
        async with self._api.fleet.steady() as fleet:
            if not fleet.knows(query.classes, query.traits):
                await self._api.database.read(require_names_txn, query)
            rendering = Rendering(fleet, query.classes, _form(level_of(call)))
            for number, part in enumerate(search(fleet, query)):
                if number:
                    await self._api.runtime.sleep(0)
                rendering.add(part)
        return self._api.fresh(call, rendering.body())


def _form(level: Level) -> Form:
    return Form(
        by_provider=level.has("candidates-by-provider"),
        traits=level.has("summary-traits"),
        whole=level.has("summaries-whole"),
        tree=level.has("nested-candidates"),
        mappings=level.has("mappings"),
    )
