"""Server groups (Compute API reference, "Server groups")."""

from typing import Literal

from msgspec import Struct

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.fields import Name, Positive
from kilonova.api.projects import own_project
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.server_group_store import group_add_txn, group_find_txn, group_remove_txn, groups_txn
from kilonova.api.shapes import NO_BODY, TEXT, UUID, WHOLE, Takes, gives, listed, obj, shaped
from kilonova.kernel.errors import Invalid
from kilonova.kernel.versions import Doc
from kilonova.objects.server_group import ServerGroup
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_RULE = "os_compute_api:os-server-groups:"

LIST = Query(names=("all_projects", "limit", "offset"), strict="strict-list-queries")


GROUP = shaped(
    obj(
        {
            "id": UUID,
            "name": TEXT,
            "policy": TEXT,
            "rules": obj({"max_server_per_host?": WHOLE}),
            "members": listed(UUID),
            "project_id": TEXT,
            "user_id": TEXT,
        }
    ),
    "server_group",
)


class RulesNeedAntiAffinity(Invalid):
    """Only anti-affinity policy supports rules."""

    code = "server-group-rules"


class Rules(Struct, forbid_unknown_fields=True):
    """What a policy may be told besides its name."""

    max_server_per_host: Positive | None = None


class GroupCreate(Struct, forbid_unknown_fields=True):
    """The body of a create."""

    name: Name
    policy: Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]
    rules: Rules | None = None


class ServerGroups:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """List groups: the project's, or everybody's for administrators that ask."""
        policy, caller = self._compute.policy, call.user
        policy.enforce(_RULE + "index", caller)
        asked = LIST.read(call)
        project_id = caller.project_id
        if "all_projects" in asked and policy.allows("context_is_admin", caller):
            policy.enforce(_RULE + "index:all_projects", caller)
            project_id = None
        limit = asked.whole("limit")
        limit = self._compute.page_max if limit is None else min(limit, self._compute.page_max)
        groups = await self._compute.database.read(groups_txn, project_id, asked.whole("offset") or 0, limit)
        return Reply({"server_groups": [_told(call, group) for group in groups]})

    async def show(self, call: Call) -> Reply:
        """Show one group."""
        return Reply({"server_group": _told(call, await self._find(call, "show"))})

    async def create(self, call: Call) -> Reply:
        """Create a group."""
        caller = call.user
        self._compute.policy.enforce(_RULE + "create", caller)
        asked = body.read(call, "server_group", GroupCreate, "server_group_create")
        most = asked.rules.max_server_per_host if asked.rules else None
        if most is not None and asked.policy != "anti-affinity":
            raise RulesNeedAntiAffinity
        group = ServerGroup(
            id=self._compute.runtime.uuid(),
            name=str(asked.name),
            project_id=own_project(caller),
            user_id=caller.user_id,
            policy=asked.policy,
            max_server_per_host=None if most is None else int(most),
            created_at=self._compute.runtime.now(),
        )
        await self._compute.database.write(group_add_txn, group, self._compute.quota.defaults)
        return Reply({"server_group": _told(call, group)})

    async def delete(self, call: Call) -> Reply:
        """Delete a group."""
        group = await self._find(call, "delete")
        await self._compute.database.write(group_remove_txn, group.id)
        return Reply()

    async def _find(self, call: Call, action: str) -> ServerGroup:
        group = await self._compute.database.read(group_find_txn, call.params["id"])
        self._compute.policy.enforce(_RULE + action, call.user, {"project_id": group.project_id})
        return group


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of server groups."""
    groups, one = ServerGroups(compute), gives({"server_group": GROUP})
    return [
        ComputeRoute(
            method="GET",
            path="/os-server-groups",
            handler=groups.index,
            query=LIST,
            gives=gives({"server_groups": listed(GROUP)}),
        ),
        ComputeRoute(
            method="POST",
            path="/os-server-groups",
            handler=groups.create,
            body=Body.JSON,
            takes=Takes(kind=GroupCreate, under="server_group", shape="server_group_create"),
            gives=one,
        ),
        ComputeRoute(method="GET", path="/os-server-groups/{id}", handler=groups.show, gives=one),
        ComputeRoute(method="DELETE", path="/os-server-groups/{id}", handler=groups.delete, success=204, gives=NO_BODY),
    ]


def _told(call: Call, group: ServerGroup) -> Doc:
    rules = {} if group.max_server_per_host is None else {"max_server_per_host": group.max_server_per_host}
    doc: Doc = {
        "id": group.id,
        "name": group.name,
        "policy": group.policy,
        "rules": rules,
        "members": list(group.members),
        "project_id": group.project_id,
        "user_id": group.user_id,
    }
    return call.version.down("server_group", doc)
