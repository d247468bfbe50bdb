"""The password that a guest made up and gave away encrypted (API reference, "Servers password")."""

from msgspec import structs

from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find
from kilonova.api.shapes import NO_BODY, TEXT, gives
from kilonova.objects.server import Server
from kilonova.web.call import Call, Reply

_PATH = "/servers/{id}/os-server-password"
_RULE = "os_compute_api:os-server-password:"


class ServerPassword:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def show(self, call: Call) -> Reply:
        """The encrypted password; an empty text for a guest that gave none."""
        server = await find(call, self._compute, _RULE + "show")
        return Reply({"password": server.encrypted_password})

    async def clear(self, call: Call) -> Reply:
        """Forget it; the guest keeps its password."""
        server = await find(call, self._compute, _RULE + "clear")
        await self._compute.servers.update(server.id, _without_password)
        return Reply()


def routes(compute: Compute) -> list[ComputeRoute]:
    """Both routes."""
    password = ServerPassword(compute)
    return [
        ComputeRoute(method="GET", path=_PATH, handler=password.show, gives=gives({"password": TEXT})),
        ComputeRoute(method="DELETE", path=_PATH, handler=password.clear, success=204, gives=NO_BODY),
    ]


def _without_password(server: Server) -> Server:
    return structs.replace(server, encrypted_password="")
