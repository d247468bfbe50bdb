"""Groups (Identity API v3, "Groups"): there are none."""

from collections.abc import Sequence

from kilonova.standalone.identity.context import Context, refuse
from kilonova.standalone.identity.store import Missing
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

_none = refuse("This cloud has no groups; give roles to users.")


class Groups:
    """Lists no groups, and refuses new ones."""

    def __init__(self, context: Context) -> None:
        """Answer from `context`."""
        self._context = context

    def routes(self) -> Sequence[Route]:
        """The paths under `/v3/groups`."""
        return (
            Route(method="GET", path="/v3/groups", handler=self.list),
            Route(method="POST", path="/v3/groups", handler=_none),
            Route(method="GET", path="/v3/groups/{group_id}", handler=self.show),
        )

    async def list(self, call: Call) -> Reply:
        """GET /v3/groups."""
        self._context.enforce(call, "list_groups")
        return self._context.listing(call, "groups", [])

    async def show(self, call: Call) -> Reply:
        """GET /v3/groups/{group_id}."""
        self._context.enforce(call, "list_groups")
        raise Missing(kind="group", id=call.params["group_id"])
