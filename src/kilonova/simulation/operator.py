"""The operator of a simulated cloud: goes and looks, and evacuates servers from hosts that have no power."""

import contextlib

import msgspec

from kilonova.kernel.errors import Conflict, NotFound, Unavailable
from kilonova.kernel.ids import ProjectId, UserId
from kilonova.objects.caller import Caller
from kilonova.objects.server import Server
from kilonova.operations.plans import evacuate
from kilonova.operations.servers import Servers
from kilonova.runtime.runtime import Runtime
from kilonova.simulation.invariants.at_rest import Durable

LOOK_EVERY_S = 7.0
_PLACED = "SELECT body FROM servers WHERE deleted_at IS NULL AND host IS NOT NULL ORDER BY id"


class Operator:
    """Evacuates from hosts that are dark, and from no others: a host that only can't be reached may run its guests."""

    def __init__(self, servers: Servers, runtime: Runtime, durable: Durable) -> None:
        """`servers` is the API as the operator reaches it; `durable` is what there is to look at."""
        self._servers = servers
        self._runtime = runtime
        self._durable = durable
        project = ProjectId("operators")
        self._caller = Caller(user_id=UserId("operator"), user_name="operator", project_id=project, roles=("admin",))

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._runtime.sleep(LOOK_EVERY_S)
            for server in self._in_the_dark():
                with contextlib.suppress(Conflict, NotFound, Unavailable):
                    request_id = f"req-{self._runtime.uuid()}"
                    await self._servers.act(self._caller, request_id, server.id, evacuate.KIND, {})

    def _in_the_dark(self) -> list[Server]:
        found = []
        for database in self._durable.cells.values():
            for (body,) in database.rows(_PLACED):
                server = msgspec.json.decode(body, type=Server)
                if server.host is not None and self._durable.hypervisor.is_dark(server.host):
                    found.append(server)
        return found
