"""What no OpenStack API tells and the command line needs: a small service of our own, for administrators."""

import msgspec

from kilonova.app.operations_api import OperationsApi, check_admin
from kilonova.app.placement_view import PlacementView
from kilonova.app.scheduler_api import SchedulerApi
from kilonova.app.server_waits import ServerWaits
from kilonova.kernel.errors import Conflict
from kilonova.kernel.ids import ServerId
from kilonova.operations.capacity import Capacity
from kilonova.operations.oversight import Oversight
from kilonova.operations.servers import Servers
from kilonova.operations.work import Parts
from kilonova.runtime.runtime import Runtime
from kilonova.web.call import Call, Reply
from kilonova.web.errors import Fault
from kilonova.web.routing import Route
from kilonova.web.service import Dialect, Service, Tokens


class NoSsh(Conflict):
    """Server {server_id} can't be reached by SSH: {reason}."""

    code = "no-ssh"


class LocalApi:
    """The handlers."""

    def __init__(self, servers: Servers) -> None:
        """Answer about `servers`."""
        self._servers = servers

    async def ssh(self, call: Call) -> Reply:
        """GET /ssh/{id}: the port of this machine's loopback that leads to a server's SSH."""
        check_admin(call, "ssh")
        server = await self._servers.get(ServerId(call.params["id"]))
        if server.ssh_port is None:
            reason = "it does not run" if server.host is None else "its hypervisor opens no port for it"
            raise NoSsh(server_id=server.id, reason=reason)
        return Reply({"ssh": {"host": "127.0.0.1", "port": server.ssh_port}})


def local_api(servers: Servers, work: Parts, tokens: Tokens, runtime: Runtime) -> Service:
    """The service, to be mounted at `paths.OWN`."""
    routes = [
        Route(method="GET", path="/ssh/{id}", handler=LocalApi(servers).ssh),
        Route(method="GET", path="/servers/{id}/wait", handler=ServerWaits(servers, work).wait),
        *OperationsApi(Oversight(work), runtime).routes(),
        *SchedulerApi(work).routes(),
        *PlacementView(Capacity(work)).routes(),
    ]
    return Service(Dialect(name="kilonova", error_body=_error_body), routes, tokens, runtime)


def _error_body(fault: Fault) -> tuple[bytes, str]:
    error = {"code": fault.status, "title": fault.title, "message": fault.message}
    return msgspec.json.encode({"error": error}), "application/json"
