"""What other services tell of servers (API reference, "Create external events"): each event is answered for itself."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.query import ComputeRoute
from kilonova.api.server_fields import Uuid
from kilonova.api.shapes import TEXT, UUID, Gives, Takes, listed, obj, words
from kilonova.kernel.errors import NotFound, Unavailable
from kilonova.kernel.ids import ServerId
from kilonova.kernel.versions import Doc
from kilonova.objects.external_event import EventName, ExternalEvent
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_RULE = "os_compute_api:os-server-external-events:create"
OK, NO_SERVER, NO_HOST, BAD_TAG, UNSURE = 200, 404, 422, 400, 503
"""What becomes of an event: taken, no such server, one that is on no host, a tag without meaning, a cell that is silent."""
_POWER_TAGS = frozenset({"POWER_ON", "POWER_OFF"})

_TAKEN = obj(
    {
        "events": listed(
            obj(
                {
                    "name": TEXT,
                    "server_uuid": UUID,
                    "status": words("failed", "completed", "in-progress"),
                    "code": words(OK, NO_SERVER, NO_HOST, BAD_TAG, UNSURE),
                    "tag?": TEXT,
                }
            )
        )
    }
)


class NoServers(NotFound):
    """No instances found for any event"""

    code = "events-without-servers"


class Event(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item of `events`."""

    name: EventName
    server_uuid: Uuid
    status: Literal["failed", "completed", "in-progress"] = "completed"
    tag: Annotated[str, Meta(max_length=255)] | UnsetType = UNSET


class EventsCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body."""

    events: Annotated[list[Event], Meta(min_length=1)]


class ExternalEvents:
    """The handler."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def create(self, call: Call) -> Reply:
        """Take events in their order. Raises `NoServers` when none of them is about a server that is here."""
        self._compute.policy.enforce(_RULE, call.user)
        asked = body.struct(call, body.whole(call), EventsCreate, "external_events", "events")
        codes = [await self._take(call, event) for event in asked.events]
        if all(code == NO_SERVER for code in codes):
            raise NoServers
        told = [_told(event, code) for event, code in zip(asked.events, codes, strict=True)]
        return Reply({"events": told}, status=200 if set(codes) == {OK} else 207)

    async def _take(self, call: Call, event: Event) -> int:
        servers = self._compute.servers
        tag = "" if event.tag is UNSET else event.tag
        try:
            server = await servers.get(ServerId(event.server_uuid))
            if server.host is None:
                return NO_HOST
            if event.name == "power-update" and tag not in _POWER_TAGS:
                return BAD_TAG
            told = ExternalEvent(name=event.name, status=event.status, tag=tag)
            await servers.external_event(call.user, call.request_id, server, told)
        except NotFound:
            return NO_SERVER
        except Unavailable:
            return UNSURE
        return OK


def routes(compute: Compute) -> list[ComputeRoute]:
    """One route."""
    path = "/os-server-external-events"
    return [
        ComputeRoute(
            method="POST",
            path=path,
            handler=ExternalEvents(compute).create,
            body=Body.JSON,
            takes=Takes(kind=EventsCreate, shape="external_events"),
            gives=(Gives(body=_TAKEN), Gives(body=_TAKEN, status=207)),
        )
    ]


def _told(event: Event, code: int) -> Doc:
    told: Doc = {
        "name": event.name,
        "server_uuid": str(event.server_uuid),
        "status": event.status if code == OK else "failed",
        "code": code,
    }
    return told if event.tag is UNSET else {**told, "tag": event.tag}
