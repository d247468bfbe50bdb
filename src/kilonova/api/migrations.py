"""Migrations: the records of moves, and what is done to a live one under way (API reference, "Migrations").

Moves have no records of the memory and disk that were copied so far: those numbers are null.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from kilonova.api import paging, times
from kilonova.api.body import BadField, shown
from kilonova.api.compute import Compute
from kilonova.api.links import links
from kilonova.api.query import Asked, BadParameter, ComputeRoute, Query
from kilonova.api.server_access import find, find_to_change
from kilonova.api.shapes import (
    LINKS,
    MICRO_TIME,
    NO_BODY,
    NULL,
    TEXT,
    UUID,
    WHOLE,
    Takes,
    gives,
    listed,
    obj,
    or_null,
    shaped,
)
from kilonova.kernel.errors import NotFound
from kilonova.kernel.ids import ServerId
from kilonova.kernel.versions import Doc
from kilonova.objects.migration import Migration, MigrationQuery
from kilonova.objects.server import TaskState
from kilonova.operations.migrations import NoSuchMigration, NotMigrating
from kilonova.operations.plans.live_migration import ABORT, FORCE
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_ALL, _OF_SERVER = "os_compute_api:os-migrations:index", "os_compute_api:servers:migrations:"
QUERY = Query(
    names=(
        *("changes-before", "changes-since", "hidden", "host", "instance_uuid", "limit", "marker"),
        *("migration_type", "project_id", "source_compute", "status", "user_id"),
    ),
    shape="migration_query",
    strict="migration-paging",
)
_NAMES = {
    "host": "host",
    "source": "source_compute",
    "status": "status",
    "kind": "migration_type",
    "server_id": "instance_uuid",
    "project_id": "project_id",
    "user_id": "user_id",
}
_LIVE = "live-migration"
_UNDER_WAY = frozenset({"accepted", "preparing", "running"})
_HOSTS = ("source_node", "source_compute", "dest_node", "dest_compute", "dest_host")


_COMMON = {
    "id": WHOLE,
    "uuid": UUID,
    "status": TEXT,
    **dict.fromkeys(_HOSTS, or_null(TEXT)),
    "created_at": MICRO_TIME,
    "updated_at": or_null(MICRO_TIME),
    "user_id": or_null(TEXT),
    "project_id": or_null(TEXT),
}
MIGRATION = shaped(
    obj(
        {
            **_COMMON,
            "instance_uuid": UUID,
            "old_instance_type_id": WHOLE,
            "new_instance_type_id": WHOLE,
            "migration_type": TEXT,
            "links?": LINKS,
        }
    ),
    "migration",
)
_COPIED = [f"{what}_{part}_bytes" for what in ("memory", "disk") for part in ("total", "processed", "remaining")]
OF_SERVER = shaped(obj({**_COMMON, "server_uuid": UUID, **dict.fromkeys(_COPIED, NULL)}), "server_migration")


class Migrations:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """The migrations of all servers that the caller may see, newest first."""
        asked, user, policy = QUERY.read(call), call.user, self._compute.policy
        policy.enforce(_ALL, user, {"project_id": user.project_id})
        query = _query(asked)
        if not policy.allows(_ALL + ":all_projects", user):
            query = structs.replace(query, project_id=user.project_id)
        page = paging.page(asked, self._compute)
        paged = call.version.has("migration-paging")
        query = structs.replace(query, limit=page.limit + 1, marker=page.marker)
        try:
            found = [] if _only_hidden(asked) else await self._compute.servers.migrations(query)
        except NotFound as error:
            raise paging.NoSuchMarker(marker=str(page.marker)[:100]) from error
        hosts = policy.allows(_ALL + ":host", user)
        shown = found[: page.limit]
        reply: Doc = {"migrations": [self._told(call, one, hosts=hosts) for one in shown]}
        if paged and len(found) > len(shown) > 0:
            reply["migrations_links"] = [links(call, self._compute).next(call, shown[-1].uuid)]
        return Reply(reply)

    async def of_server(self, call: Call) -> Reply:
        """The live migrations of a server that are under way."""
        found = await self._found(call, "index")
        allowed = self._compute.policy.allows(_OF_SERVER + "index:host", call.user)
        return Reply({"migrations": [_of_server(call, one, hosts=allowed) for one in found]})

    async def show(self, call: Call) -> Reply:
        """One live migration under way."""
        found = await self._found(call, "show")
        one = next((one for one in found if str(one.id) == call.params["migration_id"]), None)
        if one is None:
            raise _none(call)
        return Reply({"migration": _of_server(call, one, hosts=True)})

    async def abort(self, call: Call) -> Reply:
        """Let a live migration fail; the server stays where it is."""
        early = {"preparing"} if call.version.has("migration-abort-early") else set()
        await self._wish(call, "delete", ABORT, frozenset({"running", *early}))
        return Reply()

    async def force_complete(self, call: Call) -> Reply:
        """Let a live migration come to its end, by pausing the guest until it is done."""
        if call.body["force_complete"] is not None:
            raise BadField(field="force_complete", value=shown(call.body["force_complete"]), reason="It must be null")
        await self._wish(call, "force_complete", FORCE, frozenset({"running"}))
        return Reply()

    async def _found(self, call: Call, rule: str) -> Sequence[Migration]:
        server = await find(call, self._compute, _OF_SERVER + rule)
        return await self._compute.servers.migrations_under_way(server.id)

    async def _wish(self, call: Call, rule: str, wish: str, allowed: frozenset[str]) -> None:
        server = await find_to_change(call, self._compute, _OF_SERVER + rule)
        if not call.params["migration_id"].isdecimal():
            raise _none(call)
        if server.task_state is not TaskState.MIGRATING:
            raise NotMigrating(server_id=server.id)
        migration_id = int(call.params["migration_id"])
        await self._compute.servers.migration_wish(server.id, migration_id, wish, allowed)

    def _told(self, call: Call, one: Migration, *, hosts: bool) -> Doc:
        doc = {
            **_common(one),
            "instance_uuid": one.server_id,
            "old_instance_type_id": _number(one.old_flavor_id),
            "new_instance_type_id": _number(one.new_flavor_id),
            "migration_type": one.kind,
        }
        if one.kind == _LIVE and one.status in _UNDER_WAY:
            path = f"servers/{one.server_id}/migrations"
            doc["links"] = links(call, self._compute).both(path, one.id)
        return call.version.down("migration", _without_hosts(doc, hosts=hosts))


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of migrations."""
    migrations = Migrations(compute)
    of_server, one = "/servers/{id}/migrations", "/servers/{id}/migrations/{migration_id}"
    return [
        ComputeRoute(
            method="GET",
            path="/os-migrations",
            handler=migrations.index,
            query=QUERY,
            gives=gives({"migrations": listed(MIGRATION), "migrations_links?": LINKS}),
        ),
        ComputeRoute(
            method="GET",
            path=of_server,
            handler=migrations.of_server,
            since="2.23",
            gives=gives({"migrations": listed(OF_SERVER)}),
        ),
        ComputeRoute(
            method="GET", path=one, handler=migrations.show, since="2.23", gives=gives({"migration": OF_SERVER})
        ),
        ComputeRoute(method="DELETE", path=one, handler=migrations.abort, since="2.24", success=202, gives=NO_BODY),
        ComputeRoute(
            method="POST",
            path=one + "/action",
            action="force_complete",
            handler=migrations.force_complete,
            since="2.22",
            success=202,
            body=Body.JSON,
            takes=Takes(schema=NULL, under="force_complete"),
            gives=NO_BODY,
        ),
    ]


def _query(asked: Asked) -> MigrationQuery:
    wanted: dict[str, Any] = {field: asked.one(name) for field, name in _NAMES.items()}
    texts = {name: asked.one(name) for name in ("changes-since", "changes-before")}
    since, before = (None if text is None else times.parse(text, name) for name, text in texts.items())
    if since is not None and before is not None and before < since:
        reason = "The value of changes-since must be less than or equal to changes-before."
        raise BadParameter(name="changes-before", value=str(texts["changes-before"])[:100], reason=reason)
    return MigrationQuery(**wanted, changes_since=since, changes_before=before)


def _only_hidden(asked: Asked) -> bool:
    """Whether hidden migrations alone are asked for: there are none."""
    return (asked.one("hidden") or "").lower() in {"1", "true"}


def _of_server(call: Call, one: Migration, *, hosts: bool) -> Doc:
    doc = {**_common(one), "server_uuid": one.server_id, **dict.fromkeys(_COPIED)}
    return call.version.down("server_migration", _without_hosts(doc, hosts=hosts))


def _common(one: Migration) -> Doc:
    return {
        "id": one.id,
        "uuid": one.uuid,
        "status": one.status,
        "source_node": one.source,
        "source_compute": one.source,
        "dest_node": one.dest,
        "dest_compute": one.dest,
        "dest_host": None,
        "created_at": times.micro(one.created_at),
        "updated_at": times.micro(one.updated_at),
        "user_id": one.user_id,
        "project_id": one.project_id,
    }


def _without_hosts(doc: Doc, *, hosts: bool) -> Doc:
    return doc if hosts else {**doc, **dict.fromkeys(_HOSTS)}


def _number(flavor_id: str) -> int:
    """The number of a flavor that has one for its id; flavors have no other numbers here."""
    return int(flavor_id) if flavor_id.isascii() and flavor_id.isdecimal() else 0


def _none(call: Call) -> NoSuchMigration:
    return NoSuchMigration(id=call.params["migration_id"][:100], server_id=ServerId(call.params["id"]))
