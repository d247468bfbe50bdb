"""Waiting for a server: the answer comes when it is as wanted, on a hint of the bus, and not when somebody asks again."""

import asyncio
from collections.abc import Sequence
from typing import Any

from kilonova.bus.bus import Listener
from kilonova.engine.runner import ended_topic
from kilonova.kernel.errors import Forbidden, Invalid
from kilonova.kernel.ids import ServerId
from kilonova.objects.server import Server, VmState
from kilonova.operations import schedule
from kilonova.operations.servers import Servers
from kilonova.operations.work import Parts
from kilonova.web.call import Call, Reply

WITHIN_MAX_S = 60.0
"""How long one request may wait."""
LOOK_EVERY_S = 0.5
"""A hint that is lost, or a state that changes without an operation, is seen this much later."""


class BadWait(Invalid):
    """{name} is '{given}'; {wanted}."""

    code = "bad-wait"


class ServerWaits:
    """The handler."""

    def __init__(self, servers: Servers, work: Parts) -> None:
        """Look at `servers`; `work` has the bus that tells when something ended."""
        self._servers = servers
        self._work = work

    async def wait(self, call: Call) -> Reply:
        """GET /servers/{id}/wait?status=STATUS&within_s=N: the server as soon as it is so, or N seconds have passed.

        It is so when it has the status and no operation works on it. A server in ERROR is answered at once, because
        nothing will change that. Only for administrators. Raises `NotFound`, also while it waits.
        """
        if not call.user.credentials["is_admin"]:
            raise Forbidden(rule="kilonova:wait")
        query = dict(call.query)
        status, within_s = query.get("status", "ACTIVE"), _within_s(query.get("within_s", "30"))
        server_id, runtime = ServerId(call.params["id"]), self._work.runtime
        give_up_at = runtime.monotonic() + within_s
        listeners = self._listen()
        try:
            while True:
                server = await self._servers.get(server_id)
                reached = _is_so(server, status)
                left_s = give_up_at - runtime.monotonic()
                if reached or left_s <= 0 or (_is_at_rest(server) and server.vm_state is VmState.ERROR):
                    return Reply({"server": _shown(server), "reached": reached})
                await self._hint(listeners, min(left_s, LOOK_EVERY_S))
        finally:
            for listener in listeners:
                listener.close()

    def _listen(self) -> Sequence[Listener]:
        """Hear of every operation that ends, and of servers that get a cell."""
        topics = [schedule.TOPIC, *(cell.topic for cell in self._work.cells.all)]
        return [self._work.bus.listen(ended_topic(topic)) for topic in topics]

    async def _hint(self, listeners: Sequence[Listener], within_s: float) -> None:
        """Wait for the first hint."""
        waits = [self._work.runtime.spawn(each.wait(within_s), name="wait for a server") for each in listeners]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def _within_s(given: str) -> float:
    try:
        within_s = float(given)
    except ValueError:
        within_s = -1.0
    if not 0 <= within_s <= WITHIN_MAX_S:
        raise BadWait(name="within_s", given=given, wanted=f"it is a number of seconds from 0 to {WITHIN_MAX_S:g}")
    return within_s


def _is_at_rest(server: Server) -> bool:
    return server.current_op is None and server.task_state is None


def _is_so(server: Server, status: str) -> bool:
    return server.status == status and _is_at_rest(server)


def _shown(server: Server) -> dict[str, Any]:
    """What a person needs who asks why it isn't as wanted."""
    fault = server.fault
    return {
        "id": server.id,
        "status": server.status,
        "vm_state": server.vm_state,
        "task_state": server.task_state,
        "host": server.host,
        "fault": None if fault is None else {"code": fault.code, "message": fault.message},
        "operation": server.current_op,
    }
