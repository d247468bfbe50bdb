"""Domains (Identity API v3, "Domains"): the one there is."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.standalone.identity.context import Context, refuse
from kilonova.standalone.identity.store import Missing
from kilonova.standalone.identity.tables import DEFAULT_DOMAIN_ID, DEFAULT_DOMAIN_NAME
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

DEFAULT_REF = {"id": DEFAULT_DOMAIN_ID, "name": DEFAULT_DOMAIN_NAME}
"""How other documents mention it."""

_only = refuse("This cloud has the one domain 'default', which can't be changed, and no other can be created.")


class Domains:
    """Lists and shows the default domain."""

    def __init__(self, context: Context) -> None:
        """Answer from `context`."""
        self._context = context

    def routes(self) -> Sequence[Route]:
        """The paths under `/v3/domains`."""
        return (
            Route(method="GET", path="/v3/domains", handler=self.list),
            Route(method="POST", path="/v3/domains", handler=_only),
            Route(method="GET", path="/v3/domains/{domain_id}", handler=self.show),
            Route(method="PATCH", path="/v3/domains/{domain_id}", handler=_only),
            Route(method="DELETE", path="/v3/domains/{domain_id}", handler=_only),
        )

    async def list(self, call: Call) -> Reply:
        """GET /v3/domains."""
        self._context.enforce(call, "list_domains")
        return self._context.listing(call, "domains", [self.document()], "name", "enabled")

    async def show(self, call: Call) -> Reply:
        """GET /v3/domains/{domain_id}."""
        self._context.enforce(call, "get_domain", **{"target.domain.id": call.params["domain_id"]})
        if call.params["domain_id"] != DEFAULT_DOMAIN_ID:
            raise Missing(kind="domain", id=call.params["domain_id"])
        return Reply({"domain": self.document()})

    def document(self) -> Mapping[str, Any]:
        """The default domain."""
        return {
            **DEFAULT_REF,
            "description": "The default domain",
            "enabled": True,
            "tags": [],
            "options": {},
            "links": {"self": self._context.link(f"domains/{DEFAULT_DOMAIN_ID}")},
        }
