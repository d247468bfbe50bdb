"""Resize and cold migration, and what becomes of them (API reference, "Servers - run an action")."""

import msgspec
from msgspec import UNSET, UnsetType, field

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.fields import HostField
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find_to_change
from kilonova.api.server_destination import NoSuchHost
from kilonova.api.server_fields import DiskConfig, FlavorRef
from kilonova.api.server_image import flavor_of
from kilonova.api.shapes import ANYTHING, NO_BODY, Takes
from kilonova.kernel.errors import Invalid, NotFound
from kilonova.kernel.ids import HostName
from kilonova.objects.flavor import Flavor
from kilonova.objects.server import Server
from kilonova.scheduler.wishes import wishes_of
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_PATH = "/servers/{id}/action"


class SameFlavor(Invalid):
    """When resizing, instances must change flavor!"""

    code = "same-flavor"


class SmallerDisk(Invalid):
    """The root disk of {server_id} has {has} GB and can't shrink to {wanted} GB."""

    code = "smaller-disk"


class SameHost(Invalid):
    """Cannot migrate to the host where the server exists."""

    code = "same-host"


class Resize(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `resize`."""

    flavor_ref: FlavorRef = field(name="flavorRef")
    disk_config: DiskConfig | UnsetType = field(name="OS-DCF:diskConfig", default=UNSET)


class Migrate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `migrate`."""

    host: HostField | None = None


class ServerMoves:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def resize(self, call: Call) -> Reply:
        """Give a server another size, on the host that suits it; it waits to be confirmed then."""
        wish = body.read(call, "resize", Resize)
        server = await find_to_change(call, self._compute, "os_compute_api:servers:resize")
        flavor = await flavor_of(call.user, self._compute, wish.flavor_ref)
        _check_flavor(server, flavor)
        wishes_of(flavor, server.image_properties, self._compute.aliases)
        if wish.disk_config is not UNSET:
            disk_config = str(wish.disk_config)
            await self._compute.servers.update(
                server.id, lambda server: msgspec.structs.replace(server, disk_config=disk_config)
            )
        may_stay = self._compute.resize_to_same_host
        await self._compute.servers.resize(call.user, call.request_id, server.id, flavor, may_stay=may_stay)
        return Reply()

    async def confirm(self, call: Call) -> Reply:
        """Make a resize or migration final."""
        return await self._act(call, "confirm_resize", "confirm_resize")

    async def revert(self, call: Call) -> Reply:
        """Take a resize or migration back."""
        return await self._act(call, "revert_resize", "revert_resize")

    async def migrate(self, call: Call) -> Reply:
        """Move a server to another host: the one that was named, or the one that suits it."""
        rule = "os_compute_api:os-migrate-server:migrate"
        server = await find_to_change(call, self._compute, rule)
        wish = Migrate()
        if call.version.has("migrate-host") and call.body["migrate"] is not None:
            wish = body.read(call, "migrate", Migrate)
        if wish.host is not None:
            target = {"project_id": server.project_id, "user_id": server.user_id}
            self._compute.policy.enforce(rule + ":host", call.user, target)
        to = await destination(self._compute, server, wish.host)
        await self._compute.servers.act(call.user, call.request_id, server.id, "migration", {"to": to})
        return Reply()

    async def _act(self, call: Call, rule: str, kind: str) -> Reply:
        server = await find_to_change(call, self._compute, f"os_compute_api:servers:{rule}")
        await self._compute.servers.act(call.user, call.request_id, server.id, kind, {})
        return Reply()


def routes(compute: Compute) -> list[ComputeRoute]:
    """A route for each action."""
    moves = ServerMoves(compute)
    table = (
        ("resize", moves.resize, 202, Takes(kind=Resize, under="resize")),
        ("confirmResize", moves.confirm, 204, Takes(schema=ANYTHING, under="confirmResize")),
        ("revertResize", moves.revert, 202, Takes(schema=ANYTHING, under="revertResize")),
        ("migrate", moves.migrate, 202, Takes(kind=Migrate, under="migrate", shape="migrate", null=True)),
    )
    return [
        ComputeRoute(
            method="POST",
            path=_PATH,
            action=action,
            handler=handler,
            body=Body.JSON,
            success=success,
            takes=takes,
            gives=NO_BODY,
        )
        for action, handler, success, takes in table
    ]


async def destination(compute: Compute, server: Server, name: str | None) -> HostName | None:
    """The host that was named to move to, if one was. Raises `NoSuchHost`, `SameHost`."""
    if name is None:
        return None
    try:
        host = await compute.hosts.get(HostName(name))
    except NotFound as error:
        raise NoSuchHost(host=name) from error
    if host.name == server.host:
        raise SameHost
    return host.name


def _check_flavor(server: Server, flavor: Flavor) -> None:
    if flavor.id == server.flavor.id:
        raise SameFlavor
    if flavor.disk_gb < server.flavor.disk_gb:
        raise SmallerDisk(server_id=server.id, has=server.flavor.disk_gb, wanted=flavor.disk_gb)
