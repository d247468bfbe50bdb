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
    resource_classes,
    resource_providers,
    root,
    traits,
    usages,
)
from kilonova.placement.api.context import Api
from kilonova.placement.api.faults import coded, uncoded
from kilonova.placement.api.history import PLACEMENT
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
)
"""Every module that has routes."""


class PlacementService:
    """Mounted under `/placement`. Two services with the same routes, because older versions word errors without a code."""

    def __init__(
        self, database: Database, tokens: Tokens, runtime: Runtime, policy_overrides: Mapping[str, str] | None = None
    ) -> None:
        """Serve what is in `database`, whose tables are there already."""
        api = Api(runtime=runtime, database=database, policy=Policy(policies.RULES, policy_overrides))
        self._negotiation = Negotiation("placement", PLACEMENT)
        self._coded, self._uncoded = (
            Service(
                Dialect(name="placement", error_body=words, negotiation=self._negotiation), routes(api), tokens, runtime
            )
            for words in (coded, uncoded)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        service = self._coded if self._codes(Headers(scope=scope)) else self._uncoded
        await service(scope, receive, send)

    def _codes(self, headers: Headers) -> bool:
        try:
            return self._negotiation.level(headers).has("error-codes")
        except KilonovaError:
            return True


def routes(api: Api) -> list[Route]:
    """Every route of the Placement API."""
    return [route for resource in RESOURCES for route in resource.routes(api)]
