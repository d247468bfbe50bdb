"""Evacuation (API reference, "Servers - run an administrative action", `evacuate`)."""

import msgspec
from msgspec import UNSET, UnsetType, field

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.fields import HostField, Truth
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find_to_change
from kilonova.api.server_moves import destination
from kilonova.api.server_rescue import PASSWORD_BYTES, Password
from kilonova.api.shapes import TEXT, Gives, Takes, obj
from kilonova.kernel.errors import Invalid
from kilonova.operations.plans import evacuate
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body


class PasswordOnSharedStorage(Invalid):
    """admin password can't be changed on existing disk"""

    code = "password-on-shared-storage"


class Evacuate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `evacuate`."""

    host: HostField | UnsetType = UNSET
    admin_password: Password | UnsetType = field(name="adminPass", default=UNSET)
    on_shared_storage: Truth | UnsetType = field(name="onSharedStorage", default=UNSET)
    """Until 2.13; whether the disks are kept depends on what hosts say of their storage, not on this."""
    force: Truth | UnsetType = UNSET
    """2.29 to 2.67; nothing is forced: the named host has to have room."""


class ServerEvacuation:
    """The handler."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def evacuate(self, call: Call) -> Reply:
        """Make a server anew on another host than its own, which is down."""
        wish = body.read(call, "evacuate", Evacuate, "evacuate")
        if not call.version.has("evacuate-storage-found-out") and wish.on_shared_storage is UNSET:
            raise body.BadField(field="onSharedStorage", value="", reason="'onSharedStorage' is a required property")
        server = await find_to_change(call, self._compute, "os_compute_api:os-evacuate")
        if wish.on_shared_storage is not UNSET and wish.on_shared_storage and wish.admin_password is not UNSET:
            raise PasswordOnSharedStorage
        password = self._compute.runtime.token(PASSWORD_BYTES) if wish.admin_password is UNSET else wish.admin_password
        to = None if wish.host is UNSET else await destination(self._compute, server, str(wish.host))
        params = {"to": to, "admin_password": password, "run": not call.version.has("evacuate-stopped")}
        await self._compute.servers.act(call.user, call.request_id, server.id, evacuate.KIND, params)
        return Reply(None if call.version.has("evacuate-storage-found-out") else {"adminPass": password})


def routes(compute: Compute) -> list[ComputeRoute]:
    """The route of the action."""
    handler = ServerEvacuation(compute).evacuate
    path = "/servers/{id}/action"
    return [
        ComputeRoute(
            method="POST",
            path=path,
            action="evacuate",
            handler=handler,
            body=Body.JSON,
            takes=Takes(kind=Evacuate, under="evacuate", shape="evacuate"),
            gives=(Gives(body=obj({"adminPass": TEXT}), until="2.13"), Gives(since="2.14")),
        )
    ]
