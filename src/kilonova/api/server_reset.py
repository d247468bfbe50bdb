"""What state a server is to be in (API reference, "Servers - run an administrative action", `os-resetState`)."""

from typing import Literal

import msgspec

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find_to_change
from kilonova.api.shapes import NO_BODY, Takes
from kilonova.kernel.errors import Conflict
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

WITHIN_S = 5.0
"""How long an answer waits for what the operation that was ended has left to be cleared away."""


class NotOnAHost(Conflict):
    """Server {id} is on no host, so that it can't be active; reset it to 'error', or delete it."""

    code = "reset-without-host"


class ResetState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `os-resetState`."""

    state: Literal["active", "error"]


class ServerReset:
    """The handler."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def reset(self, call: Call) -> Reply:
        """Set a server's state, and end whatever is being done to it but its delete.

        The answer leaves when the server can be acted on again, as Nova's does; where a worker of the ended operation may be at
        work still, it leaves after WITHIN_S.
        """
        wish = body.read(call, "os-resetState", ResetState)
        server = await find_to_change(call, self._compute, "os_compute_api:os-admin-actions:reset_state")
        if wish.state == "active" and server.host is None:
            raise NotOnAHost(id=server.id)
        params = {"state": wish.state}
        await self._compute.servers.act_and_wait(
            call.user, call.request_id, server.id, "reset_state", params, within_s=WITHIN_S
        )
        return Reply()


def routes(compute: Compute) -> list[ComputeRoute]:
    """One route."""
    return [
        ComputeRoute(
            method="POST",
            path="/servers/{id}/action",
            action="os-resetState",
            handler=ServerReset(compute).reset,
            body=Body.JSON,
            success=202,
            takes=Takes(kind=ResetState, under="os-resetState"),
            gives=NO_BODY,
        )
    ]
