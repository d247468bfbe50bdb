"""From a server's id in a URL to the server, if the caller may do there what the route does."""

from kilonova.api.compute import Compute
from kilonova.kernel.errors import NotFound
from kilonova.kernel.ids import ServerId, is_uuid
from kilonova.objects.caller import Caller
from kilonova.objects.server import Server
from kilonova.objects.server_query import DownServer
from kilonova.operations.states import Locked
from kilonova.web.call import Call


async def find(call: Call, compute: Compute, rule: str) -> Server:
    """The server that `{id}` names.

    Raises `NotFound` also for servers of other projects, whose existence is nobody's business, and `Forbidden` where policy
    doesn't give the caller `rule`.
    """
    server_id = call.params["id"]
    if not is_uuid(server_id):
        raise no_such_server(server_id)
    server = await compute.servers.get(ServerId(server_id))
    _check(call, compute, rule, server)
    return server


async def find_outline(call: Call, compute: Compute, rule: str) -> DownServer:
    """As `find`, for a server whose cell doesn't answer: what is known of it nevertheless."""
    server = await compute.servers.outline(ServerId(call.params["id"]))
    _check(call, compute, rule, server)
    return server


def _check(call: Call, compute: Compute, rule: str, server: Server | DownServer) -> None:
    if server.project_id != call.user.project_id and not is_admin(call.user, compute):
        raise no_such_server(server.id)
    compute.policy.enforce(rule, call.user, {"project_id": server.project_id, "user_id": server.user_id})


async def find_to_change(call: Call, compute: Compute, rule: str) -> Server:
    """As `find`, for routes that a lock keeps from everybody but administrators. Raises `Locked` too."""
    server = await find(call, compute, rule)
    refuse_if_locked(server, call.user, compute)
    return server


def refuse_if_locked(server: Server, caller: Caller, compute: Compute) -> None:
    """Raise `Locked` if `server` is locked and `caller` is no administrator."""
    if server.locked and not is_admin(caller, compute):
        raise Locked(server_id=server.id)


def is_admin(caller: Caller, compute: Compute) -> bool:
    """Whether `caller` is an administrator of the cloud."""
    return compute.policy.allows("context_is_admin", caller)


def no_such_server(server_id: str) -> NotFound:
    """What is said of a server that is not there for the caller."""
    return NotFound(kind="Instance", id=server_id[:100])
