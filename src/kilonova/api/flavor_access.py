"""Which projects may use a flavor that is not public (Compute API reference, "Flavor access")."""

import re
from collections.abc import Sequence
from typing import ClassVar, Self

from msgspec import Struct

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.flavor_store import access_add_txn, access_remove_txn, access_txn
from kilonova.api.flavors import find
from kilonova.api.projects import check_project
from kilonova.api.query import ComputeRoute
from kilonova.api.shapes import TEXT, Takes, gives, listed, obj, text
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.kernel.ids import ProjectId
from kilonova.kernel.schemas import Schema
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_TOLD = gives({"flavor_access": listed(obj({"flavor_id": TEXT, "tenant_id": TEXT}))})


class NoAccessList(NotFound):
    """Access list not available for public flavors."""

    code = "flavor-is-public"


class PublicFlavor(Conflict):
    """Can not add access to a public flavor."""

    code = "flavor-access-public"


class ProjectField(str):
    """A project's id."""

    __slots__ = ()
    schema: ClassVar[Schema] = text(255, pattern="^[a-zA-Z0-9-]+$")

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        if not isinstance(value, str) or not re.fullmatch(r"[a-zA-Z0-9-]{1,255}", value):
            raise ValueError("it must be the id of a project")
        return cls(value)


class Access(Struct, forbid_unknown_fields=True):
    """The body of both actions."""

    tenant: ProjectField


class FlavorAccess:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def index(self, call: Call) -> Reply:
        """List the projects with access to a flavor."""
        self._compute.policy.enforce("os_compute_api:os-flavor-access", call.user)
        flavor = await find(self._compute, call.user, call.params["flavor_id"])
        if flavor.public:
            raise NoAccessList
        return _reply(flavor.id, await self._compute.database.read(access_txn, flavor.id))

    async def add(self, call: Call) -> Reply:
        """Give a project access."""
        self._compute.policy.enforce("os_compute_api:os-flavor-access:add_tenant_access", call.user)
        project_id = await self._project(call, "addTenantAccess")
        flavor = await find(self._compute, call.user, call.params["id"])
        if flavor.public and call.version.has("public-flavor-access-refused"):
            raise PublicFlavor
        return _reply(flavor.id, await self._compute.database.write(access_add_txn, flavor.id, project_id))

    async def remove(self, call: Call) -> Reply:
        """Take a project's access away."""
        self._compute.policy.enforce("os_compute_api:os-flavor-access:remove_tenant_access", call.user)
        project_id = await self._project(call, "removeTenantAccess")
        flavor = await find(self._compute, call.user, call.params["id"])
        return _reply(flavor.id, await self._compute.database.write(access_remove_txn, flavor.id, project_id))

    async def _project(self, call: Call, action: str) -> ProjectId:
        return await check_project(self._compute, str(body.read(call, action, Access).tenant))


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of flavor access."""
    access = FlavorAccess(compute)
    return [
        ComputeRoute(method="GET", path="/flavors/{flavor_id}/os-flavor-access", handler=access.index, gives=_TOLD),
        ComputeRoute(
            method="POST",
            path="/flavors/{id}/action",
            action="addTenantAccess",
            handler=access.add,
            body=Body.JSON,
            takes=Takes(kind=Access, under="addTenantAccess"),
            gives=_TOLD,
        ),
        ComputeRoute(
            method="POST",
            path="/flavors/{id}/action",
            action="removeTenantAccess",
            handler=access.remove,
            body=Body.JSON,
            takes=Takes(kind=Access, under="removeTenantAccess"),
            gives=_TOLD,
        ),
    ]


def _reply(flavor_id: str, projects: Sequence[ProjectId]) -> Reply:
    return Reply({"flavor_access": [{"flavor_id": flavor_id, "tenant_id": project_id} for project_id in projects]})
