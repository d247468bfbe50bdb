"""What is done to servers through `POST /servers/{id}/action` (API reference, "Servers - run an action")."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.fields import INT_MAX, Whole
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find, find_to_change
from kilonova.api.shapes import ANYTHING, NO_BODY, TEXT, Takes, gives, whole
from kilonova.kernel.errors import NotImplementedHere
from kilonova.kernel.schemas import Schema
from kilonova.objects.caller import Caller
from kilonova.objects.server import Server
from kilonova.operations.accept import NotReady
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_PATH = "/servers/{id}/action"
_TO_COME: tuple[tuple[str, str | None, str | None], ...] = (
    ("os-getSPICEConsole os-getSerialConsole os-getVNCConsole", None, "2.5"),
)
"""Actions of the API without an operation here, with the first and last microversion that has them."""


_PLAIN: tuple[tuple[str, str, str, str | None, str], ...] = (
    ("os-start", "start", "servers:start", None, "Start a server."),
    (
        "os-stop",
        "stop",
        "servers:stop",
        None,
        "Stop a server, by asking its guest and by cutting its power in the end.",
    ),
    ("pause", "pause", "os-pause-server:pause", None, "Let a server's processors stand still."),
    ("unpause", "unpause", "os-pause-server:unpause", None, "Let a paused server go on."),
    ("suspend", "suspend", "os-suspend-server:suspend", None, "Write a server's memory to disk and stop it."),
    ("resume", "resume", "os-suspend-server:resume", None, "Let a suspended server go on."),
    ("unrescue", "unrescue", "os-unrescue", None, "Let a server in rescue run from its own disk again."),
    ("restore", "restore", "os-deferred-delete:restore", None, "Take a soft delete back."),
    ("trigger_crash_dump", "crash_dump", "servers:trigger_crash_dump", "2.17", "Send a server's guest an NMI."),
)
"""Actions that say nothing but their name: the kind of operation, its rule, the first microversion that has it, what it does."""


class ActionToCome(NotImplementedHere):
    """The action {action} is not available in this version of Kilonova."""

    code = "action-to-come"


class Reboot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `reboot`."""

    type: Literal["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]


class Length(Whole):
    """How many lines: a number, or -1 for all."""

    schema: ClassVar[Schema] = whole(-1, INT_MAX)
    low = -1


class ConsoleOutput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `os-getConsoleOutput`."""

    length: Length | None = None


class Lock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `lock`."""

    locked_reason: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None


class ServerActions:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def plain(self, kind: str, rule: str, call: Call) -> Reply:
        """Do what needs no more than its name."""
        return await self._act(call, f"os_compute_api:{rule}", kind)

    async def reboot(self, call: Call) -> Reply:
        """Restart a server, by asking its guest or by force."""
        wish = body.read(call, "reboot", Reboot)
        kind = "reboot_hard" if wish.type.lower() == "hard" else "reboot"
        return await self._act(call, "os_compute_api:servers:reboot", kind)

    async def force_delete(self, call: Call) -> Reply:
        """Delete a server for good, whatever is being done to it."""
        server = await find_to_change(call, self._compute, "os_compute_api:os-deferred-delete:force")
        await self._compute.servers.delete(call.user, call.request_id, server.id)
        return Reply()

    async def lock(self, call: Call) -> Reply:
        """Keep everybody but administrators from changing a server."""
        reason = _lock_reason(call)
        server = await find(call, self._compute, "os_compute_api:os-lock-server:lock")
        by = _locker(call.user, server)

        def lock(server: Server) -> Server:
            if server.locked and by == "owner":
                return server
            return msgspec.structs.replace(server, locked=True, locked_reason=reason, locked_by=by)

        await self._compute.servers.update(server.id, lock)
        return Reply()

    async def unlock(self, call: Call) -> Reply:
        """Take a lock away; what an administrator locked, by one only."""
        server = await find(call, self._compute, "os_compute_api:os-lock-server:unlock")
        if server.locked_by not in {None, _locker(call.user, server)}:
            target = {"project_id": server.project_id, "user_id": server.user_id}
            self._compute.policy.enforce("os_compute_api:os-lock-server:unlock:unlock_override", call.user, target)

        def unlock(server: Server) -> Server:
            return msgspec.structs.replace(server, locked=False, locked_reason=None, locked_by=None)

        await self._compute.servers.update(server.id, unlock)
        return Reply()

    async def console_output(self, call: Call) -> Reply:
        """The end of what a guest wrote to its serial console."""
        wish = body.read(call, "os-getConsoleOutput", ConsoleOutput)
        server = await find(call, self._compute, "os_compute_api:os-console-output")
        lines = None if wish.length is None or wish.length < 0 else int(wish.length)
        output = await self._compute.servers.console_output(server.id, lines)
        return Reply({"output": output if lines is None else output.removesuffix("\n")})

    async def inject_network_info(self, call: Call) -> Reply:
        """Show the addresses that a server's ports have now. Guests are told of them by DHCP, and nothing is put into them."""
        server = await find_to_change(call, self._compute, "os_compute_api:os-admin-actions:inject_network_info")
        if server.host is None:
            raise NotReady(server_id=server.id)
        await self._compute.servers.addresses_refresh(server)
        return Reply()

    async def _act(self, call: Call, rule: str, kind: str) -> Reply:
        server = await find_to_change(call, self._compute, rule)
        await self._compute.servers.act(call.user, call.request_id, server.id, kind, {})
        return Reply()


def routes(compute: Compute) -> list[ComputeRoute]:
    """A route for each action."""
    actions = ServerActions(compute)
    return [
        *(
            _route(action, partial(actions.plain, kind, rule), since=since, summary=summary)
            for action, kind, rule, since, summary in _PLAIN
        ),
        _route("reboot", actions.reboot, takes=Takes(kind=Reboot, under="reboot")),
        _route("lock", actions.lock, takes=Takes(kind=Lock, under="lock", shape="server_lock", null=True)),
        _route("unlock", actions.unlock),
        _route("forceDelete", actions.force_delete),
        _route("injectNetworkInfo", actions.inject_network_info),
        _route(
            "os-getConsoleOutput",
            actions.console_output,
            success=200,
            takes=Takes(kind=ConsoleOutput, under="os-getConsoleOutput"),
            gives=gives({"output": TEXT}),
        ),
        *(
            _route(
                action,
                partial(action_to_come, action),
                since=since,
                until=until,
                gives=(),
                faults=(501,),
                summary="Answers that it is not there yet.",
            )
            for names, since, until in _TO_COME
            for action in names.split()
        ),
    ]


def _route(action: str, handler: Callable[[Call], Awaitable[Reply]], success: int = 202, **more: Any) -> ComputeRoute:
    told = {"takes": Takes(schema=ANYTHING, under=action), "gives": NO_BODY, **more}
    return ComputeRoute(
        method="POST", path=_PATH, action=action, handler=handler, body=Body.JSON, success=success, **told
    )


async def action_to_come(action: str, _call: Call) -> Reply:
    """Say that it is not there yet."""
    raise ActionToCome(action=action)


def _lock_reason(call: Call) -> str | None:
    """The reason given; before 2.73 nobody looked at what stood under `lock`."""
    if not call.version.has("server-lock-reason") or call.body["lock"] is None:
        return None
    return body.read(call, "lock", Lock).locked_reason


def _locker(caller: Caller, server: Server) -> str:
    """As whom `caller` locks and unlocks: `owner` in the server's own project, else `admin`."""
    return "owner" if server.project_id == caller.project_id else "admin"
