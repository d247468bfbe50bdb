"""The Networking API, assembled: every kind of resource, their tags, quotas, discovery, and what is not there yet."""

from kilonova.database.database import Database
from kilonova.runtime.runtime import Runtime
from kilonova.standalone.network import absent
from kilonova.standalone.network.collection import Collection
from kilonova.standalone.network.discovery import Discovery
from kilonova.standalone.network.errors import error_body
from kilonova.standalone.network.networks import Networks
from kilonova.standalone.network.ports import Ports
from kilonova.standalone.network.quotas import Quotas
from kilonova.standalone.network.security_group_rules import SecurityGroupRules
from kilonova.standalone.network.security_groups import SecurityGroups
from kilonova.standalone.network.store.quotas import Limits
from kilonova.standalone.network.subnets import Subnets
from kilonova.standalone.network.tags import Tags
from kilonova.web.policy import Policy
from kilonova.web.routing import Route
from kilonova.web.service import Dialect, Service, Tokens

KINDS: tuple[type[Collection], ...] = (Networks, Subnets, Ports, SecurityGroups, SecurityGroupRules)


def network_service(database: Database, tokens: Tokens, runtime: Runtime, policy: Policy, limits: Limits) -> Service:
    """The ASGI application. `limits` are the default quotas."""
    collections = [kind(database, runtime, policy, limits) for kind in KINDS]
    routes: list[Route] = []
    for collection in collections:
        routes += collection.routes()
        if collection.can_update:
            routes += Tags(collection).routes()
    routes += Quotas(database, policy, limits).routes()
    routes += Discovery(collections).routes()
    routes += absent.routes()
    return Service(Dialect(name="network", error_body=error_body), routes, tokens, runtime)
