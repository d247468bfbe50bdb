"""The version document (Placement API, "List Versions")."""

from kilonova.placement.api.context import Api
from kilonova.placement.api.history import PLACEMENT
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route


def routes(_api: Api) -> list[Route]:
    """Its route."""
    return [Route(method="GET", path="/", handler=_home, public=True)]


async def _home(_call: Call) -> Reply:
    version = {
        "id": "v1.0",
        "min_version": PLACEMENT.labels[0],
        "max_version": PLACEMENT.labels[-1],
        "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}],
    }
    return Reply({"versions": [version]})
