"""Version documents (Identity API v3, "API versions")."""

from collections.abc import Sequence
from typing import Any

from kilonova.standalone.identity.context import Context
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

_UPDATED = "2020-04-07T00:00:00Z"
_ID = "v3.14"


class Versions:
    """The two documents that clients discover the API with."""

    def __init__(self, context: Context) -> None:
        """Answer from `context`."""
        self._context = context

    def routes(self) -> Sequence[Route]:
        """The root and `/v3`, for anybody."""
        return (
            Route(method="GET", path="/", handler=self.list, success=300, public=True),
            Route(method="GET", path="/v3", handler=self.show, public=True),
        )

    async def list(self, _call: Call) -> Reply:
        """GET /: the versions there are; one."""
        return Reply({"versions": {"values": [self._document()]}}, headers={"Location": self._context.link("")})

    async def show(self, _call: Call) -> Reply:
        """GET /v3."""
        return Reply({"version": self._document()})

    def _document(self) -> dict[str, Any]:
        return {
            "id": _ID,
            "status": "stable",
            "updated": _UPDATED,
            "links": [{"rel": "self", "href": self._context.link("")}],
            "media-types": [
                {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"},
            ],
        }
