"""The security groups of a server: show, add, take away (API reference, "Servers - security groups")."""

from typing import Annotated

from msgspec import Meta, Struct, structs

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.passed_on import Document, Remote
from kilonova.api.query import ComputeRoute
from kilonova.api.security_groups import GROUP, KIND, told
from kilonova.api.server_access import find, find_to_change
from kilonova.api.shapes import NO_BODY, Takes, gives, listed
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.objects.port import Port
from kilonova.objects.server import Server
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_RULE = "os_compute_api:os-security-groups:"
_PATH = "/servers/{id}/action"


class AmbiguousGroup(Conflict):
    """Multiple security groups found matching '{name}'. Use an ID to be more specific."""

    code = "ambiguous-security-group"


class NotItsGroup(NotFound):
    """Security group {name} is not associated with the instance {server_id}"""

    code = "not-its-security-group"


class NoPorts(NotFound):
    """Instance {server_id} has no ports that could have a security group"""

    code = "no-ports-for-groups"


class GroupName(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `addSecurityGroup` and `removeSecurityGroup`."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]


class ServerSecurityGroups:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """The groups of a server's ports."""
        server = await find(call, self._compute, _RULE + "list")
        ids = {group_id for port in await self._ports(server) for group_id in port.security_group_ids}
        groups = {group["id"]: group for group in await self._groups(call)}
        shown = [told(group, groups) for group_id, group in groups.items() if group_id in ids]
        return Reply({"security_groups": sorted(shown, key=lambda group: (group["name"], group["id"]))})

    async def add(self, call: Call) -> Reply:
        """Give all ports of a server one more group."""
        wish = body.read(call, "addSecurityGroup", GroupName)
        server = await find_to_change(call, self._compute, _RULE + "add")
        group = await self._named(call, wish.name)
        ports = await self._ports(server)
        if not ports:
            raise NoPorts(server_id=server.id)
        for port in ports:
            if group["id"] not in port.security_group_ids:
                await self._give(call, port, [*port.security_group_ids, group["id"]])
        await self._compute.servers.update(server.id, lambda now: _with_group(now, group["name"]))
        return Reply()

    async def remove(self, call: Call) -> Reply:
        """Take a group from all ports of a server."""
        wish = body.read(call, "removeSecurityGroup", GroupName)
        server = await find_to_change(call, self._compute, _RULE + "remove")
        group = await self._named(call, wish.name)
        having = [port for port in await self._ports(server) if group["id"] in port.security_group_ids]
        if not having:
            raise NotItsGroup(name=wish.name, server_id=server.id)
        for port in having:
            await self._give(call, port, [one for one in port.security_group_ids if one != group["id"]])
        await self._compute.servers.update(server.id, lambda now: _without_group(now, group["name"]))
        return Reply()

    @property
    def _network(self) -> Remote:
        return Remote(self._compute.network_api, "/v2.0")

    async def _ports(self, server: Server) -> list[Port]:
        return list(await self._compute.networks.ports_of(server.id))

    async def _give(self, call: Call, port: Port, group_ids: list[str]) -> None:
        document = {"port": {"security_groups": group_ids}}
        await self._network.one(call, "/ports", port.id, kind="Port", method="PUT", json=document)

    async def _groups(self, call: Call) -> list[Document]:
        found: list[Document] = (await self._network.ask(call, "GET", "/security-groups", kind=KIND))["security_groups"]
        return found

    async def _named(self, call: Call, name: str) -> Document:
        """The group of the caller's project with this id or name. Raises `NotFound`, `AmbiguousGroup`."""
        groups = [group for group in await self._groups(call) if group["project_id"] == call.user.project_id]
        found = [group for group in groups if group["id"] == name] or [one for one in groups if one["name"] == name]
        if not found:
            raise NotFound(kind=KIND, id=name)
        if len(found) > 1:
            raise AmbiguousGroup(name=name)
        return found[0]


def routes(compute: Compute) -> list[ComputeRoute]:
    """The list, and both actions."""
    groups = ServerSecurityGroups(compute)
    actions = {"addSecurityGroup": groups.add, "removeSecurityGroup": groups.remove}
    return [
        ComputeRoute(
            method="GET",
            path="/servers/{id}/os-security-groups",
            handler=groups.index,
            gives=gives({"security_groups": listed(GROUP)}),
        ),
        *(
            ComputeRoute(
                method="POST",
                path=_PATH,
                action=name,
                handler=handler,
                body=Body.JSON,
                success=202,
                takes=Takes(kind=GroupName, under=name),
                gives=NO_BODY,
            )
            for name, handler in actions.items()
        ),
    ]


def _with_group(server: Server, name: str) -> Server:
    if name in server.security_groups:
        return server
    return structs.replace(server, security_groups=(*server.security_groups, name))


def _without_group(server: Server, name: str) -> Server:
    return structs.replace(server, security_groups=tuple(one for one in server.security_groups if one != name))
