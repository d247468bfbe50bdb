"""The version document (Placement API, "List Versions")."""

from kilonova.placement.api.context import Api
from kilonova.placement.api.history import PLACEMENT
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route


def routes(api: Api) -> list[Route]:
    """Its route."""
    return [Route(method="GET", path="/", handler=_Root(api).show, public=True)]


class _Root:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def show(self, call: Call) -> Reply:
        version = {
            "id": "v1.0",
            "min_version": PLACEMENT.labels[0],
            "max_version": PLACEMENT.labels[-1],
            "status": "CURRENT",
            "links": [{"rel": "self", "href": ""}],
        }
        return self._api.fresh(call, {"versions": [version]})
