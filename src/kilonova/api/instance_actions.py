"""What was done to servers: their operations, told as instance actions (API reference, "Servers actions").

An operation's steps are the events of its action; the names of events are those of our steps.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from kilonova.api import paging, times
from kilonova.api.compute import Compute
from kilonova.api.links import links
from kilonova.api.query import Asked, ComputeRoute, Query
from kilonova.api.server_access import find, is_admin, no_such_server
from kilonova.api.server_view import host_id
from kilonova.api.shapes import LINKS, MICRO_TIME, NULL, TEXT, UUID, gives, listed, obj, or_null, shaped, words
from kilonova.kernel.errors import Invalid, NotFound
from kilonova.kernel.ids import ServerId, is_uuid
from kilonova.kernel.versions import Doc
from kilonova.objects.operation import Operation, OperationEvent, OperationState
from kilonova.operations.catalog import ACTIONS
from kilonova.scheduler.decide import NO_VALID_HOST
from kilonova.web.call import Call, Reply

_RULE = "os_compute_api:os-instance-actions:"
_LIST = "/servers/{id}/os-instance-actions"
QUERY = Query(
    names=("changes-before", "changes-since", "limit", "marker"),
    shape="instance_action_query",
    strict="instance-action-paging",
)
_ENDS = {"done": "Success", "undone": "Success", "failed": "Error", "superseded": "Error"}


ACTION = shaped(
    obj(
        {
            "action": TEXT,
            "instance_uuid": UUID,
            "message": or_null(TEXT),
            "project_id": or_null(TEXT),
            "request_id": TEXT,
            "start_time": MICRO_TIME,
            "updated_at": MICRO_TIME,
            "user_id": or_null(TEXT),
        }
    ),
    "instance_action",
)
EVENT = shaped(
    obj(
        {
            "event": TEXT,
            "start_time": MICRO_TIME,
            "finish_time": or_null(MICRO_TIME),
            "result": or_null(words("Success", "Error")),
            "hostId": TEXT,
            "host?": or_null(TEXT),
            "traceback?": NULL,
            "details?": or_null(TEXT),
        }
    ),
    "instance_action_event",
)
_WITH_EVENTS = {**ACTION, "properties": {**ACTION["properties"], "events": listed(EVENT)}}
Pair = tuple[OperationEvent, OperationEvent | None]
"""How an attempt at a step began, and what it came to."""


class NoSuchAction(NotFound):
    """Action for request_id {request_id} on instance {server_id} not found"""

    code = "no-such-instance-action"


@dataclass(frozen=True)
class Rights:
    """What of an event the caller may see."""

    inside: bool
    """Tracebacks and hosts."""
    details: bool
    """Why it failed."""


class InstanceActions:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """The actions of a server, newest first."""
        asked = QUERY.read(call)
        operations = await self._operations(call, _RULE + "list")
        docs = partial(_actions, call)
        if not call.version.has("instance-action-paging"):
            return Reply({"instanceActions": docs(operations)})
        changed = _changed(operations, asked)
        found = paging.page(asked, self._compute).of(changed, lambda operation: operation.request_id)
        reply: Doc = {"instanceActions": docs(found)}
        if found and found[-1] is not changed[-1]:
            reply["links"] = [links(call, self._compute).next(call, found[-1].request_id)]
        return Reply(reply)

    async def show(self, call: Call) -> Reply:
        """One action, with its events where the caller may see them."""
        operations = await self._operations(call, _RULE + "show")
        server_id, request_id = ServerId(call.params["id"]), call.params["request_id"]
        operation = next((one for one in operations if one.request_id == request_id), None)
        if operation is None:
            raise NoSuchAction(request_id=request_id[:100], server_id=server_id)
        doc = _actions(call, [operation])[0]
        rights = self._rights(call, _owner(operations))
        if rights.inside or call.version.has("instance-action-events-for-all"):
            events = await self._compute.servers.events(server_id, operation)
            told = [_event(pair, _owner(operations), rights) for pair in paired(events)]
            doc["events"] = [call.version.down("instance_action_event", event) for event in told]
        return Reply({"instanceAction": doc})

    def _rights(self, call: Call, owner: str | None) -> "Rights":
        def allows(rule: str) -> bool:
            return self._compute.policy.allows(_RULE + rule, call.user, {"project_id": owner})

        return Rights(inside=allows("events"), details=allows("events:details"))

    async def _operations(self, call: Call, rule: str) -> Sequence[Operation]:
        """The operations of the server that `{id}` names, newest first; of deleted ones from 2.21 on."""
        if not call.version.has("instance-actions-of-deleted"):
            server = await find(call, self._compute, rule)
            return await self._compute.servers.operations(server.id)
        server_id = call.params["id"]
        if not is_uuid(server_id):
            raise no_such_server(server_id)
        operations = await self._compute.servers.operations(ServerId(server_id))
        owner = _owner(operations)
        if owner != call.user.project_id and not is_admin(call.user, self._compute):
            raise no_such_server(server_id)
        self._compute.policy.enforce(rule, call.user, {"project_id": owner})
        return operations


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of instance actions."""
    actions = InstanceActions(compute)
    return [
        ComputeRoute(
            method="GET",
            path=_LIST,
            handler=actions.index,
            query=QUERY,
            gives=gives({"instanceActions": listed(ACTION), "links?": LINKS}),
        ),
        ComputeRoute(
            method="GET",
            path=_LIST + "/{request_id}",
            handler=actions.show,
            gives=gives({"instanceAction": _WITH_EVENTS}),
        ),
    ]


def _owner(operations: Sequence[Operation]) -> str | None:
    """The project of the server: that of its boot, which is its oldest operation."""
    return operations[-1].project_id if operations else None


def _changed(operations: Iterable[Operation], asked: Asked) -> list[Operation]:
    """The operations whose last change lies between the times asked for. Raises `Invalid`."""
    since, before = (asked.one(name) for name in ("changes-since", "changes-before"))
    first = times.parse(since, "changes-since") if since is not None else float("-inf")
    last = times.parse(before, "changes-before") if before is not None else float("inf")
    if last < first:
        raise Invalid(reason="The value of changes-since must be less than or equal to changes-before.")
    return [operation for operation in operations if first <= operation.updated_at <= last]


def _actions(call: Call, operations: Iterable[Operation]) -> list[Doc]:
    return [call.version.down("instance_action", _action(operation)) for operation in operations]


def _action(operation: Operation) -> Doc:
    action = ACTIONS.get(operation.kind)
    return {
        "action": operation.kind if action is None else action.name,
        "instance_uuid": operation.server_id,
        "message": _message(operation),
        "project_id": operation.project_id,
        "request_id": operation.request_id,
        "start_time": times.micro(operation.created_at),
        "updated_at": times.micro(operation.updated_at),
        "user_id": operation.user_id,
    }


def _message(operation: Operation) -> str | None:
    """`Error` for what failed, as in Nova; where no host was found, which constraints removed the hosts."""
    if operation.state is not OperationState.FAILED:
        return None
    error = operation.error or ""
    return f"Error: {error}" if error.startswith(NO_VALID_HOST) else "Error"


def paired(log: Iterable[OperationEvent]) -> list[Pair]:
    """Each attempt at a step, newest first, with the last that was heard of it; None while that is its beginning."""
    running: dict[str, int] = {}
    pairs: list[Pair] = []
    for event in log:
        ended = event.result in _ENDS
        at = running.pop(event.step, None) if ended else running.get(event.step)
        if at is not None:
            pairs[at] = (pairs[at][0], event)
            continue
        if not ended:
            running[event.step] = len(pairs)
        pairs.append((event, event if ended else None))
    return pairs[::-1]


def _event(pair: Pair, project_id: str | None, rights: Rights) -> Doc:
    start, end = pair
    result = None if end is None else _ENDS.get(end.result)
    host = start.host or (None if end is None else end.host)
    doc: Doc = {
        "event": f"{start.step}_undo" if end is not None and end.result == "undone" else start.step,
        "start_time": times.micro(start.at),
        "finish_time": None if end is None or result is None else times.micro(end.at),
        "result": result,
        "hostId": host_id(project_id or "", host) if host else "",
    }
    if rights.inside:
        doc |= {"host": host, "traceback": None}
    if rights.details:
        doc["details"] = end.message if end is not None and result == "Error" else None
    return doc
