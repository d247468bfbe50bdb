"""Aggregates of hosts (Compute API reference, "Host aggregates")."""

import re
from collections.abc import Callable
from typing import ClassVar, Self

from msgspec import UNSET, Struct, UnsetType, structs

from kilonova.api import body, times
from kilonova.api.aggregate_store import (
    aggregate_add_host_txn,
    aggregate_add_txn,
    aggregate_change_txn,
    aggregate_find_txn,
    aggregate_remove_host_txn,
    aggregate_remove_txn,
    aggregates_txn,
)
from kilonova.api.compute import Compute
from kilonova.api.fields import HostField, Name, ZoneName
from kilonova.api.query import ComputeRoute
from kilonova.api.shapes import (
    MICRO_TIME,
    NO_BODY,
    NULL,
    TEXT,
    TRUTH,
    UUID,
    WHOLE,
    Takes,
    by_key,
    gives,
    listed,
    obj,
    or_null,
    shaped,
    text,
)
from kilonova.kernel.errors import Invalid
from kilonova.kernel.ids import HostName
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Doc
from kilonova.objects.aggregate import Aggregate
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Handler

_RULE = "os_compute_api:os-aggregates:"
_NUMBER = re.compile(r"-?[0-9]{1,18}")


_BRIEF = {
    "id": WHOLE,
    "uuid": UUID,
    "name": TEXT,
    "availability_zone": or_null(TEXT),
    "created_at": MICRO_TIME,
    "updated_at": or_null(MICRO_TIME),
    "deleted": TRUTH,
    "deleted_at": NULL,
}
AGGREGATE = shaped(obj({**_BRIEF, "hosts": listed(TEXT), "metadata": by_key(TEXT)}), "aggregate")


class BadId(Invalid):
    """Invalid input received: id must be an integer, not '{id}'."""

    code = "aggregate-bad-id"


class MetadataValue(str):
    """A text of at most 255 characters."""

    __slots__ = ()
    schema: ClassVar[Schema] = text(255, shortest=0)

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        if not isinstance(value, str) or len(value) > 255:
            raise ValueError("it must be a text of at most 255 characters")
        return cls(value)


class AggregateCreate(Struct, forbid_unknown_fields=True):
    """The body of a create."""

    name: Name
    availability_zone: ZoneName | None = None


class AggregateUpdate(Struct, forbid_unknown_fields=True):
    """The body of an update."""

    name: Name | UnsetType = UNSET
    availability_zone: ZoneName | UnsetType | None = UNSET


class AggregateHost(Struct, forbid_unknown_fields=True):
    """The body of the actions on a host."""

    host: HostField


class AggregateMetadata(Struct, forbid_unknown_fields=True):
    """The body of `set_metadata`: null removes a key."""

    metadata: dict[str, MetadataValue | None]


class Aggregates:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """List all aggregates."""
        self._enforce(call, "index")
        return Reply({"aggregates": [_told(call, one) for one in await self._compute.database.read(aggregates_txn)]})

    async def show(self, call: Call) -> Reply:
        """Show one aggregate."""
        self._enforce(call, "show")
        return _reply(call, await self._compute.database.read(aggregate_find_txn, aggregate_id(call)))

    async def create(self, call: Call) -> Reply:
        """Create an aggregate; the answer leaves out hosts and metadata."""
        self._enforce(call, "create")
        asked = body.read(call, "aggregate", AggregateCreate)
        zone = asked.availability_zone
        aggregate = Aggregate(
            id=0,
            uuid=self._compute.runtime.uuid(),
            name=str(asked.name),
            metadata={} if zone is None else {"availability_zone": str(zone)},
            created_at=self._compute.runtime.now(),
        )
        doc = _told(call, await self._compute.database.write(aggregate_add_txn, aggregate))
        return Reply({"aggregate": {key: doc[key] for key in doc if key not in {"hosts", "metadata"}}})

    async def update(self, call: Call) -> Reply:
        """Change name and zone."""
        self._enforce(call, "update")
        asked = body.read(call, "aggregate", AggregateUpdate)
        if asked.name is UNSET and asked.availability_zone is UNSET:
            raise body.BadField(field="aggregate", value="{}", reason="It must hold a name or an availability_zone")

        def changed(old: Aggregate) -> Aggregate:
            named = old if asked.name is UNSET else structs.replace(old, name=str(asked.name))
            zone = asked.availability_zone
            return named if zone is UNSET else _with_metadata(named, {"availability_zone": zone})

        return await self._change(call, changed, "update aggregate")

    async def set_metadata(self, call: Call) -> Reply:
        """Set and remove metadata; `availability_zone` makes the aggregate a zone."""
        self._enforce(call, "set_metadata")
        asked = body.read(call, "set_metadata", AggregateMetadata)
        bad = next((key for key in asked.metadata if not 1 <= len(key) <= 255), None)
        if bad is not None:
            raise body.BadField(field="metadata", value=body.shown(bad), reason="A key holds 1 to 255 characters")
        return await self._change(call, lambda old: _with_metadata(old, asked.metadata), "update aggregate metadata")

    async def delete(self, call: Call) -> Reply:
        """Delete an empty aggregate."""
        self._enforce(call, "delete")
        await self._compute.database.write(aggregate_remove_txn, aggregate_id(call))
        return Reply()

    async def add_host(self, call: Call) -> Reply:
        """Put a host into the aggregate."""
        self._enforce(call, "add_host")
        host = HostName(str(body.read(call, "add_host", AggregateHost).host))
        into = aggregate_id(call)
        await self._compute.hosts.get(host)
        busy = await self._compute.hosts.server_counts()
        return _reply(call, await self._compute.database.write(aggregate_add_host_txn, into, host, busy))

    async def remove_host(self, call: Call) -> Reply:
        """Take a host out of the aggregate."""
        self._enforce(call, "remove_host")
        host = HostName(str(body.read(call, "remove_host", AggregateHost).host))
        busy = await self._compute.hosts.server_counts()
        return _reply(
            call, await self._compute.database.write(aggregate_remove_host_txn, aggregate_id(call), host, busy)
        )

    async def _change(self, call: Call, change: Callable[[Aggregate], Aggregate], action: str) -> Reply:
        busy = await self._compute.hosts.server_counts()
        changed = await self._compute.database.write(aggregate_change_txn, aggregate_id(call), change, busy, action)
        return _reply(call, changed)

    def _enforce(self, call: Call, action: str) -> None:
        self._compute.policy.enforce(_RULE + action, call.user)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of aggregates."""
    aggregates = Aggregates(compute)
    every, one = "/os-aggregates", "/os-aggregates/{id}"

    told = gives({"aggregate": AGGREGATE})

    def action(name: str, handler: Handler, kind: type[Struct]) -> ComputeRoute:
        takes = Takes(kind=kind, under=name)
        return ComputeRoute(
            method="POST", path=one + "/action", action=name, handler=handler, body=Body.JSON, takes=takes, gives=told
        )

    return [
        ComputeRoute(
            method="GET", path=every, handler=aggregates.index, gives=gives({"aggregates": listed(AGGREGATE)})
        ),
        ComputeRoute(
            method="POST",
            path=every,
            handler=aggregates.create,
            body=Body.JSON,
            takes=Takes(kind=AggregateCreate, under="aggregate"),
            gives=gives({"aggregate": shaped(obj(_BRIEF), "aggregate")}),
        ),
        ComputeRoute(method="GET", path=one, handler=aggregates.show, gives=told),
        ComputeRoute(
            method="PUT",
            path=one,
            handler=aggregates.update,
            body=Body.JSON,
            takes=Takes(kind=AggregateUpdate, under="aggregate"),
            gives=told,
        ),
        ComputeRoute(method="DELETE", path=one, handler=aggregates.delete, gives=NO_BODY),
        action("add_host", aggregates.add_host, AggregateHost),
        action("remove_host", aggregates.remove_host, AggregateHost),
        action("set_metadata", aggregates.set_metadata, AggregateMetadata),
    ]


def aggregate_id(call: Call) -> int:
    """The id in the path. Raises `BadId`."""
    text = call.params["id"]
    if not _NUMBER.fullmatch(text):
        raise BadId(id=text[:100])
    return int(text)


def _with_metadata(
    aggregate: Aggregate, values: dict[str, MetadataValue | None] | dict[str, ZoneName | None]
) -> Aggregate:
    gone = {key for key, value in values.items() if value is None}
    kept = {key: value for key, value in aggregate.metadata.items() if key not in gone}
    return structs.replace(
        aggregate, metadata={**kept, **{key: str(value) for key, value in values.items() if value is not None}}
    )


def _reply(call: Call, aggregate: Aggregate) -> Reply:
    return Reply({"aggregate": _told(call, aggregate)})


def _told(call: Call, aggregate: Aggregate) -> Doc:
    doc: Doc = {
        "id": aggregate.id,
        "uuid": aggregate.uuid,
        "name": aggregate.name,
        "availability_zone": aggregate.zone,
        "hosts": list(aggregate.hosts),
        "metadata": aggregate.metadata,
        "created_at": times.micro(aggregate.created_at),
        "updated_at": times.micro(aggregate.updated_at),
        "deleted": False,
        "deleted_at": None,
    }
    return call.version.down("aggregate", doc)
