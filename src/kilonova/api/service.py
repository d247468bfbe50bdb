"""The Compute service: an ASGI application made of all its resources, under `/v2.1` and `/v2`, with or without project id.

Design notes. `/v2` is the same service one level below the oldest microversion (`objects.history.api.LEGACY`): it takes
no microversion headers and forgives what strict validation refuses. A project id in the path is taken out before routing
and compared with the token's after it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from kilonova.api import (
    aggregate_images,
    aggregates,
    assisted_volume_snapshots,
    availability_zones,
    baremetal_nodes,
    extensions,
    flavor_access,
    flavor_extra_specs,
    flavors,
    floating_ips,
    gone,
    hosts,
    hypervisors,
    image_metadata,
    images,
    instance_actions,
    keypairs,
    limits,
    migrations,
    networks,
    quota_classes,
    quota_sets,
    security_groups,
    server_actions,
    server_addresses,
    server_diagnostics,
    server_evacuation,
    server_external_events,
    server_groups,
    server_images,
    server_interfaces,
    server_ips,
    server_live_migration,
    server_metadata,
    server_moves,
    server_password,
    server_rebuild,
    server_rescue,
    server_reset,
    server_security_groups,
    server_shares,
    server_shelving,
    server_tags,
    server_topology,
    server_volumes,
    servers,
    services,
    usage,
    usage_audit_log,
    versions,
    volumes,
    volumes_boot,
)
from kilonova.api.compute import Compute
from kilonova.api.faults import fault_body
from kilonova.api.openapi import Documents
from kilonova.api.openapi_served import OpenApi
from kilonova.api.query import NO_PARAMETERS, ComputeRoute
from kilonova.kernel.errors import Forbidden, Invalid, UnsupportedMedia
from kilonova.kernel.versions import Level
from kilonova.objects.history.api import API, LEGACY
from kilonova.web.call import Call, Reply
from kilonova.web.negotiation import Negotiation
from kilonova.web.routing import Body, Handler
from kilonova.web.service import Dialect, Service, Tokens

_PROJECT = re.compile(r"/([0-9a-f-]+)(?=/|$)")
"""A project id as it may stand in a path; no resource has such a name."""

_JSON = frozenset({"application/json", "application/vnd.openstack.compute+json"})

RESOURCES = (
    versions,
    aggregate_images,
    aggregates,
    availability_zones,
    extensions,
    flavor_access,
    flavor_extra_specs,
    flavors,
    gone,
    hypervisors,
    instance_actions,
    keypairs,
    limits,
    migrations,
    quota_classes,
    quota_sets,
    server_actions,
    server_rescue,
    server_reset,
    server_moves,
    server_live_migration,
    server_diagnostics,
    server_evacuation,
    server_groups,
    server_images,
    server_interfaces,
    server_ips,
    server_metadata,
    server_rebuild,
    server_shelving,
    server_tags,
    server_volumes,
    servers,
    services,
    assisted_volume_snapshots,
    baremetal_nodes,
    floating_ips,
    hosts,
    image_metadata,
    images,
    networks,
    security_groups,
    server_addresses,
    server_external_events,
    server_password,
    server_security_groups,
    server_shares,
    server_topology,
    usage,
    usage_audit_log,
    volumes,
    volumes_boot,
)
"""Every module that has routes."""


class ForeignProject(Invalid):
    """Malformed request URL: URL's project_id '{given}' doesn't match Context's project_id '{own}'"""

    code = "foreign-project"


@dataclass(frozen=True)
class LegacyNegotiation(Negotiation):
    """v2.0 knows no versions: it takes no headers and sends none."""

    @override
    def level(self, headers: Mapping[str, str]) -> Level:
        """Always 2.0."""
        return self.line.level("2.0")

    @override
    def headers(self, level: Level) -> tuple[tuple[str, str], ...]:
        """None."""
        return ()


class ComputeService:
    """Hands requests to the service of the version in their path."""

    def __init__(self, compute: Compute, tokens: Tokens) -> None:
        """Build both services from the same routes."""
        own = routes(compute)
        guarded = [replace(route, handler=_guarded(route)) for route in own]
        current = Negotiation("compute", API, "X-OpenStack-Nova-API-Version")
        legacy = LegacyNegotiation("compute", LEGACY)
        self._versions: dict[str, ASGIApp] = {
            "/v2.1": Service(_dialect(compute, current), guarded, tokens, compute.runtime),
            "/v2": Service(_dialect(compute, legacy), guarded, tokens, compute.runtime),
        }
        self._openapi = OpenApi(Documents(own), compute.runtime)
        self._root = versions.VersionList(compute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; `scope["root_path"]` says where this service is mounted."""
        path: str = scope["path"]
        end = path.find("/", 1)
        version, rest = (path, "/") if end < 0 else (path[:end], path[end:])
        service = self._versions.get(version)
        if version == "/openapi":
            await self._openapi(
                {**scope, "path": rest, "root_path": scope.get("root_path", "") + version}, receive, send
            )
            return
        if service is None:
            await self._root(scope, receive, send)
            return
        project = _PROJECT.match(rest)
        if project:
            rest = rest[project.end() :] or "/"
        scope = {
            **scope,
            "path": rest,
            "root_path": scope.get("root_path", "") + version,
            "project_id": project[1] if project else None,
        }
        await service(scope, receive, send)


def routes(compute: Compute) -> list[ComputeRoute]:
    """Every route of the Compute API."""
    return [route for resource in RESOURCES for route in resource.routes(compute)]


def described() -> list[ComputeRoute]:
    """Every route as data, for documents: nothing is behind their handlers, which can't be called."""
    return routes(cast("Compute", None))


def _dialect(compute: Compute, negotiation: Negotiation) -> Dialect:
    return Dialect(
        name="compute",
        error_body=fault_body,
        negotiation=negotiation,
        wrong_method=404,
        challenge=None if compute.identity_url is None else f'Keystone uri="{compute.identity_url}"',
    )


def _guarded(route: ComputeRoute) -> Handler:
    """The route's handler, behind what holds for all of them."""
    handler, query = route.handler, route.query

    async def guarded(call: Call) -> Reply:
        given = call.request.scope["project_id"]
        caller = call.caller
        if caller is not None:
            if caller.project_id is None:
                raise Forbidden(rule="a request with a token that is scoped to no project")
            if given is not None and given != caller.project_id:
                raise ForeignProject(given=given, own=caller.project_id)
        _check_media_type(call, route)
        if query is NO_PARAMETERS and call.method == "GET" and not route.public and call.request.scope["query_string"]:
            query.read(call)
        return await handler(call)

    return guarded


def _check_media_type(call: Call, route: ComputeRoute) -> None:
    """Bodies are JSON; one that says it is something else is refused."""
    if route.body is Body.JSON:
        given = call.headers.get("content-type")
        if given is not None and given.partition(";")[0].strip().lower() not in _JSON:
            raise UnsupportedMedia(reason="Unsupported Content-Type")
