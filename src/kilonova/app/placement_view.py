"""Placement for administrators: what `kilonova placement` asks. Part of the service at `paths.OWN`."""

from typing import Any

import msgspec

from kilonova.app.operations_api import check_admin
from kilonova.operations.capacity import Capacity
from kilonova.placement.books import Described
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route


class PlacementView:
    """The handlers."""

    def __init__(self, capacity: Capacity) -> None:
        """Answer from `capacity`."""
        self._capacity = capacity

    def routes(self) -> list[Route]:
        """GET /placement/status, /placement/audit and /placement/trees/{name}."""
        return [
            Route(method="GET", path="/placement/status", handler=self.status),
            Route(method="GET", path="/placement/audit", handler=self.audit),
            Route(method="GET", path="/placement/trees/{name}", handler=self.tree),
        ]

    async def status(self, call: Call) -> Reply:
        """What is given of what there is."""
        check_admin(call, "placement:status")
        return Reply(await self._capacity.utilisation())

    async def audit(self, call: Call) -> Reply:
        """What is not as it should be."""
        check_admin(call, "placement:audit")
        found = await self._capacity.audit()
        return Reply({"in_order": found.in_order, **msgspec.to_builtins(found)})

    async def tree(self, call: Call) -> Reply:
        """The tree of providers that the path names one of."""
        check_admin(call, "placement:show")
        return Reply({"tree": [_document(one) for one in await self._capacity.tree(call.params["name"])]})


def _document(one: Described) -> dict[str, Any]:
    inventories = {
        name: {**msgspec.to_builtins(stock.inventory), "capacity": stock.inventory.capacity, "used": stock.used}
        for name, stock in one.stocks.items()
    }
    return {
        **msgspec.to_builtins(one.provider),
        "inventories": inventories,
        "traits": one.traits,
        "aggregates": one.aggregates,
        "consumers": [holding._asdict() for holding in one.holdings],
    }
