"""The Placement service: an ASGI application made of all its resources."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from kilonova.database.database import Database
from kilonova.kernel.errors import KilonovaError
from kilonova.placement.api import (
    aggregates,
    allocation_candidates,
    allocations,
    inventories,
    policies,
    reshaper,
    resource_classes,
    resource_providers,
    root,
    traits,
    usages,
)
from kilonova.placement.api.context import Api, takes_json
from kilonova.placement.api.faults import MalformedVersion, UnsupportedVersion, coded, page, uncoded
from kilonova.placement.api.history import PLACEMENT
from kilonova.placement.search.loader import LiveFleet
from kilonova.runtime.runtime import Runtime
from kilonova.web.negotiation import Negotiation
from kilonova.web.policy import Policy
from kilonova.web.routing import Route
from kilonova.web.service import Dialect, Service, Tokens

RESOURCES = (
    root,
    resource_providers,
    inventories,
    usages,
    aggregates,
    traits,
    resource_classes,
    allocations,
    allocation_candidates,
    reshaper,
)
"""Every module that has routes."""


class PlacementService:
    """Mounted under `/placement`. Services with the same routes that word errors by what the client knows and takes."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        runtime: Runtime,
        policy_overrides: Mapping[str, str] | None = None,
        fleet: LiveFleet | None = None,
    ) -> None:
        """Serve what is in `database`, whose tables are there already; `fleet` is that of the process, if it has one."""
        policy = Policy(policies.RULES, policy_overrides)
        api = Api(runtime=runtime, database=database, fleet=fleet or LiveFleet(database), policy=policy)
        self._negotiation = Negotiation(
            "placement",
            PLACEMENT,
            vary="openstack-api-version",
            pattern=r"\d+\.\d+",
            malformed=MalformedVersion,
            unsupported=UnsupportedVersion,
        )
        every = routes(api)
        self._coded, self._uncoded, self._page = (
            Service(Dialect(name="placement", error_body=words, negotiation=self._negotiation), every, tokens, runtime)
            for words in (coded, uncoded, page)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        await self._service(Headers(scope=scope))(scope, receive, send)

    def _service(self, headers: Headers) -> Service:
        accept = headers.get("accept", "")
        if "text/html" in accept and not takes_json(accept):
            return self._page
        try:
            return self._coded if self._negotiation.level(headers).has("error-codes") else self._uncoded
        except KilonovaError:
            return self._uncoded


def routes(api: Api) -> list[Route]:
    """Every route of the Placement API."""
    return [route for resource in RESOURCES for route in resource.routes(api)]
