"""Quotas of projects, and of users in them (Compute API reference, "Quota sets")."""

from collections.abc import Mapping

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.fields import Truth
from kilonova.api.projects import check_project
from kilonova.api.query import ComputeRoute, Query
from kilonova.api.quota_fields import LIMITS, USED, QuotaValues, values_of
from kilonova.api.shapes import NO_BODY, TEXT, Gives, Takes, gives, obj, shaped
from kilonova.kernel.errors import Invalid
from kilonova.kernel.ids import ProjectId, UserId
from kilonova.kernel.schemas import Schema
from kilonova.kernel.versions import Doc
from kilonova.operations.quota import Usage
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_RULE = "os_compute_api:os-quota-sets:"

USER = Query(names=("user_id",), strict="strict-list-queries")
ANYTHING = Query(strict=None)


class BelowUsage(Invalid):
    """Quota limit {limit} for {resource} must be greater than or equal to already used and reserved {minimum}."""

    code = "quota-below-usage"


class AboveProject(Invalid):
    """Quota limit {limit} for {resource} must be less than or equal to {maximum}."""

    code = "quota-above-project"


class QuotaUpdate(QuotaValues, forbid_unknown_fields=True):
    """The body of an update."""

    force: Truth = Truth(0)


def _shape(fields: Mapping[str, Schema]) -> tuple[Gives, ...]:
    return gives({"quota_set": shaped(obj(fields), "quota_set")})


SET = _shape({"id": TEXT, **LIMITS})
DETAIL = _shape({"id": TEXT, **USED})
UPDATED = _shape(LIMITS)


class QuotaSets:
    """The handlers."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def show(self, call: Call) -> Reply:
        """The limits of a project, or of a user in it."""
        project_id, user_id = await self._target(call, "show")
        return _told(call, await self._compute.quota.limits(project_id, user_id), project_id)

    async def detail(self, call: Call) -> Reply:
        """Limits, and what is used of them."""
        project_id, user_id = await self._target(call, "detail")
        limits = await self._compute.quota.limits(project_id, user_id)
        used = _used(await self._compute.quota.usage(project_id, user_id))
        doc: Doc = {
            resource: {"limit": limit, "in_use": used.get(resource, 0), "reserved": 0}
            for resource, limit in limits.items()
        }
        return _wrapped(call, doc, project_id)

    async def defaults(self, call: Call) -> Reply:
        """The limits of projects that have none of their own."""
        project_id = ProjectId(call.params["id"])
        self._compute.policy.enforce(_RULE + "defaults", call.user, {"project_id": project_id})
        await check_project(self._compute, project_id)
        return _told(call, await self._compute.quota.class_limits("default"), project_id)

    async def update(self, call: Call) -> Reply:
        """Set limits of a project, or of a user in it.

        Unless forced, none may be below what is used, and those of a project's users never add up to more than its own.
        """
        asked = body.read(call, "quota_set", QuotaUpdate, "quota_set_update")
        project_id, user_id = await self._target(call, "update")
        quota = self._compute.quota
        values = values_of(asked, quota.defaults)
        if not asked.force:
            used = _used(await quota.usage(project_id, user_id))
            given = await quota.given_to_users(project_id, besides=user_id)
            if user_id is None:
                used = {resource: max(used.get(resource, 0), given.get(resource, 0)) for resource in values}
            else:
                _check_project(values, await quota.limits(project_id), given)
            _check_usage(values, used)
        await quota.set_limits(project_id, values, user_id)
        return _told(call, await quota.limits(project_id, user_id), None)

    async def delete(self, call: Call) -> Reply:
        """Go back to the defaults."""
        project_id = ProjectId(call.params["id"])
        user_id = USER.read(call).one("user_id")
        self._compute.policy.enforce(_RULE + "delete", call.user, {"project_id": project_id})
        await self._compute.quota.reset(project_id, None if user_id is None else UserId(user_id))
        return Reply()

    async def _target(self, call: Call, action: str) -> tuple[ProjectId, UserId | None]:
        """Whose quotas are meant; checks the query, policy, and that there is such a project."""
        project_id = ProjectId(call.params["id"])
        user_id = USER.read(call).one("user_id")
        self._compute.policy.enforce(_RULE + action, call.user, {"project_id": project_id})
        await check_project(self._compute, project_id)
        return project_id, None if user_id is None else UserId(user_id)


def routes(compute: Compute) -> list[ComputeRoute]:
    """The routes of quota sets."""
    sets = QuotaSets(compute)
    path = "/os-quota-sets/{id}"
    return [
        ComputeRoute(method="GET", path=path, handler=sets.show, query=USER, gives=SET),
        ComputeRoute(
            method="PUT",
            path=path,
            handler=sets.update,
            query=USER,
            body=Body.JSON,
            takes=Takes(kind=QuotaUpdate, under="quota_set", shape="quota_set_update"),
            gives=UPDATED,
        ),
        ComputeRoute(method="DELETE", path=path, handler=sets.delete, query=USER, success=202, gives=NO_BODY),
        ComputeRoute(method="GET", path=path + "/detail", handler=sets.detail, query=USER, gives=DETAIL),
        ComputeRoute(method="GET", path=path + "/defaults", handler=sets.defaults, query=ANYTHING, gives=SET),
    ]


def _used(usage: Usage) -> dict[str, int]:
    return {
        "instances": usage.instances,
        "cores": usage.cores,
        "ram": usage.ram,
        "server_groups": usage.server_groups,
    }


def _check_usage(values: dict[str, int], used: dict[str, int]) -> None:
    for resource, limit in values.items():
        if 0 <= limit < used.get(resource, 0):
            raise BelowUsage(limit=limit, resource=resource, minimum=used[resource])


def _check_project(values: dict[str, int], limits: dict[str, int], given: dict[str, int]) -> None:
    """Raise `AboveProject` for limits of a user beyond what the project's leave beside what is `given` to others."""
    for resource, limit in values.items():
        if limits[resource] < 0:
            continue
        maximum = max(0, limits[resource] - given.get(resource, 0))
        if limit < 0 or limit > maximum:
            raise AboveProject(limit=limit, resource=resource, maximum=maximum)


def _told(call: Call, limits: dict[str, int], project_id: ProjectId | None) -> Reply:
    return _wrapped(call, dict(limits), project_id)


def _wrapped(call: Call, doc: Doc, project_id: ProjectId | None) -> Reply:
    named: Doc = {} if project_id is None else {"id": project_id}
    return Reply({"quota_set": named | call.version.down("quota_set", doc)})
