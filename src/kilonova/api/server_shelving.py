"""Shelving: servers that give their hosts free and come back later (API reference, "Servers - run an action", `shelve`)."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.fields import HostField, ZoneName
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find_to_change
from kilonova.api.server_destination import check_zone, host_named
from kilonova.api.server_images import image_of_server
from kilonova.api.shapes import ANYTHING, NO_BODY, Takes
from kilonova.kernel.errors import Conflict, Invalid
from kilonova.objects.server import Server, VmState
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_PATH = "/servers/{id}/action"


class NotOffloaded(Conflict):
    """Server {server_id} is {vm_state}: a zone or host can be chosen for one that is shelved_offloaded only."""

    code = "not-offloaded"


class ZoneMissing(Invalid):
    """Invalid input for field/attribute unshelve. 'availability_zone' is a required property"""

    code = "unshelve-zone-missing"


class Unshelve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `unshelve`, where it isn't null."""

    availability_zone: ZoneName | UnsetType | None = UNSET
    host: HostField | UnsetType = UNSET


class ServerShelving:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def shelve(self, call: Call) -> Reply:
        """Stop a server and keep its disk as an image; by the cloud's configuration it leaves its host then, or later."""
        server = await find_to_change(call, self._compute, "os_compute_api:os-shelve:shelve")
        image_id = self._compute.runtime.uuid()
        image = image_of_server(server, call.user, image_id, f"{server.name[:247]}-shelved", "snapshot", {})
        params = {"offload": self._compute.offload_at_once}
        await self._compute.servers.make_image(call.user, call.request_id, server.id, "shelve", image, params)
        return Reply()

    async def offload(self, call: Call) -> Reply:
        """Let a shelved server leave its host now."""
        server = await find_to_change(call, self._compute, "os_compute_api:os-shelve:shelve_offload")
        return await self._act(call, server, "offload", {})

    async def unshelve(self, call: Call) -> Reply:
        """Let a shelved server run again: in a zone since 2.77, on a host since 2.91, where these are chosen."""
        wish = Unshelve()
        if call.version.has("unshelve-to-zone") and call.body["unshelve"] is not None:
            wish = body.read(call, "unshelve", Unshelve, "unshelve")
            if not call.version.has("unshelve-to-host") and not wish.availability_zone:
                raise ZoneMissing
        server = await find_to_change(call, self._compute, "os_compute_api:os-shelve:unshelve")
        return await self._act(call, server, "unshelve", await self._destination(call, server, wish))

    async def _destination(self, call: Call, server: Server, wish: Unshelve) -> dict[str, Any]:
        """The params for what was chosen. Raises `NotOffloaded`, `ZoneNotAvailable`, `NoSuchHost`, `Forbidden`."""
        zone, host = wish.availability_zone, wish.host
        params: dict[str, Any] = {}
        if host is not UNSET:
            target = {"project_id": server.project_id, "user_id": server.user_id}
            self._compute.policy.enforce("os_compute_api:os-shelve:unshelve_to_host", call.user, target)
            params["to_host"] = await host_named(self._compute, str(host))
        if zone is None:
            params["unpin"] = True
        elif zone is not UNSET:
            await check_zone(self._compute, str(zone))
            params["to_zone"] = str(zone)
        if params and server.vm_state is not VmState.SHELVED_OFFLOADED:
            raise NotOffloaded(server_id=server.id, vm_state=server.vm_state)
        return params

    async def _act(self, call: Call, server: Server, kind: str, params: dict[str, Any]) -> Reply:
        await self._compute.servers.act(call.user, call.request_id, server.id, kind, params)
        return Reply()


def routes(compute: Compute) -> list[ComputeRoute]:
    """A route for each action."""
    shelving = ServerShelving(compute)
    table = (
        ("shelve", shelving.shelve, Takes(schema=ANYTHING, under="shelve")),
        ("shelveOffload", shelving.offload, Takes(schema=ANYTHING, under="shelveOffload")),
        ("unshelve", shelving.unshelve, Takes(kind=Unshelve, under="unshelve", shape="unshelve", null=True)),
    )
    return [
        ComputeRoute(
            method="POST",
            path=_PATH,
            action=action,
            handler=handler,
            body=Body.JSON,
            success=202,
            takes=takes,
            gives=NO_BODY,
        )
        for action, handler, takes in table
    ]
