"""Rescue and the password of a server's administrator (API reference, "Servers - run an administrative action").

Neither is done when the answer leaves. A password is set by an agent inside the guest: where none is known of, the answer is 409;
where it doesn't answer although its image says that it is there, the operation fails, and the server's actions say so.
"""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType, field

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find_to_change
from kilonova.api.server_fields import ImageRef
from kilonova.api.server_image import content_of
from kilonova.api.shapes import NO_BODY, TEXT, Takes, gives
from kilonova.kernel.errors import Invalid
from kilonova.objects.server import Server
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_PATH = "/servers/{id}/action"
PASSWORD_BYTES = 9
"""Random bytes of a password that the service chooses; twelve characters."""
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class NothingToRescueWith(Invalid):
    """Server {id} was not booted from an image: say with rescue_image_ref what to rescue it with."""

    code = "nothing-to-rescue-with"


class RootIsVolume(Invalid):
    """Cannot rescue a volume-backed instance {id} at this microversion; 2.87 can."""

    code = "rescue-of-volume"


class Rescue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `rescue`."""

    admin_password: Password | UnsetType = field(name="adminPass", default=UNSET)
    rescue_image_ref: ImageRef | UnsetType = UNSET


class ChangePassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `changePassword`."""

    admin_password: str = field(name="adminPass")


class ServerRescue:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def rescue(self, call: Call) -> Reply:
        """Run a server from another image: the one given, or the one that it was booted from."""
        wish = Rescue() if call.body["rescue"] is None else body.read(call, "rescue", Rescue)
        server = await find_to_change(call, self._compute, "os_compute_api:os-rescue")
        if server.boots_from_volume and not call.version.has("rescue-from-volume"):
            raise RootIsVolume(id=server.id)
        image_id = server.image_id if wish.rescue_image_ref is UNSET else str(wish.rescue_image_ref)
        if not image_id:
            raise NothingToRescueWith(id=server.id)
        password = self._compute.runtime.token(PASSWORD_BYTES) if wish.admin_password is UNSET else wish.admin_password
        content = await content_of(call.user, self._compute, image_id, server.flavor)
        parts = {"image": content.disk, "kernel": content.kernel, "ramdisk": content.ramdisk}
        await self._act(call, server, "rescue", {**msgspec.to_builtins(parts), "admin_password": password})
        return Reply({"adminPass": password})

    async def change_password(self, call: Call) -> Reply:
        """Set the password of the administrator inside the guest."""
        wish = body.read(call, "changePassword", ChangePassword)
        server = await find_to_change(call, self._compute, "os_compute_api:os-admin-password")
        await self._act(call, server, "set_password", {"admin_password": wish.admin_password})
        return Reply()

    async def _act(self, call: Call, server: Server, kind: str, params: dict[str, object]) -> None:
        await self._compute.servers.act(call.user, call.request_id, server.id, kind, params)


def routes(compute: Compute) -> list[ComputeRoute]:
    """A route for each action."""
    rescue = ServerRescue(compute)
    return [
        ComputeRoute(
            method="POST",
            path=_PATH,
            action="rescue",
            handler=rescue.rescue,
            body=Body.JSON,
            takes=Takes(kind=Rescue, under="rescue", null=True),
            gives=gives({"adminPass": TEXT}),
        ),
        ComputeRoute(
            method="POST",
            path=_PATH,
            action="changePassword",
            handler=rescue.change_password,
            body=Body.JSON,
            success=202,
            takes=Takes(kind=ChangePassword, under="changePassword"),
            gives=NO_BODY,
        ),
    ]
