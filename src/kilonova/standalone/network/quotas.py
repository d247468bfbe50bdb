"""Quotas: how many of each kind a project may have (Networking API reference, "Quotas extension")."""

from typing import Any

from kilonova.database.database import Database, Transaction
from kilonova.standalone.network.attributes import item_of
from kilonova.standalone.network.errors import BadInput, BadRequest
from kilonova.standalone.network.store import quotas as store
from kilonova.standalone.network.values import INTEGER_MAX, BadValue, boolean, integer
from kilonova.web.call import Call, Reply
from kilonova.web.policy import Policy
from kilonova.web.routing import Body, Route

PATH = "/v2.0/quotas"
_LIMIT = integer(store.UNLIMITED, INTEGER_MAX)


class Quotas:
    """Requests about quotas."""

    def __init__(self, database: Database, policy: Policy, limits: store.Limits) -> None:
        """`limits` are those of projects that have none of their own."""
        self._database = database
        self._policy = policy
        self._limits = limits

    def routes(self) -> list[Route]:
        """The service's quota routes."""
        one = f"{PATH}/{{project_id}}"
        return [
            Route(method="GET", path=PATH, handler=self.list_all),
            Route(method="GET", path=f"{PATH}/tenant", handler=self.own_project),
            Route(method="GET", path=f"{PATH}/project", handler=self.own_project),
            Route(method="GET", path=one, handler=self.show),
            Route(method="GET", path=f"{one}/default", handler=self.show_defaults),
            Route(method="GET", path=f"{one}/details", handler=self.show_details),
            Route(method="GET", path=f"{one}/details.json", handler=self.show_details),
            Route(method="PUT", path=one, handler=self.update, body=Body.JSON),
            Route(method="DELETE", path=one, handler=self.delete, success=204),
        ]

    async def list_all(self, call: Call) -> Reply:
        """GET the projects that have limits of their own; others than administrators see at most their own."""
        projects = await self._database.read(store.projects_txn)
        seen = [one for one in projects if self._policy.allows("get_quota", call.user, {"project_id": one})]
        quotas = [{"project_id": one, "tenant_id": one, **await self._of(one)} for one in seen]
        return Reply({"quotas": quotas})

    async def own_project(self, call: Call) -> Reply:
        """GET which project's limits hold for the caller."""
        return Reply(
            {call.path.rpartition("/")[2]: {"tenant_id": call.user.project_id, "project_id": call.user.project_id}}
        )

    async def show(self, call: Call) -> Reply:
        """GET a project's limits."""
        return Reply({"quota": await self._of(self._project(call, "get_quota"))})

    async def show_defaults(self, call: Call) -> Reply:
        """GET the limits of projects that have none of their own."""
        self._project(call, "get_quota")
        return Reply({"quota": dict(self._limits)})

    async def show_details(self, call: Call) -> Reply:
        """GET a project's limits and what it uses. Nothing is ever reserved: using and counting are one transaction."""
        project_id = self._project(call, "get_quota")
        return Reply({"quota": await self._database.read(_details_txn, self._limits, project_id)})

    async def update(self, call: Call) -> Reply:
        """PUT a project's limits."""
        project_id = self._project(call, "update_quota")
        given = dict(item_of(call.body, "quota"))
        force = _flag(given.pop("force", False))
        await self._database.write(_replace_txn, project_id, self._checked(given), force)
        return Reply({"quota": await self._of(project_id)})

    async def delete(self, call: Call) -> Reply:
        """DELETE a project's limits: the defaults hold again."""
        await self._database.write(store.delete_txn, self._project(call, "delete_quota"))
        return Reply()

    async def _of(self, project_id: str) -> dict[str, int]:
        return await self._database.read(store.of_txn, self._limits, project_id)

    def _project(self, call: Call, rule: str) -> str:
        project_id = call.params["project_id"]
        self._policy.enforce(rule, call.user, {"project_id": project_id})
        return project_id

    def _checked(self, given: dict[str, Any]) -> dict[str, int]:
        unknown = sorted(set(given) - set(self._limits) - {"tenant_id", "project_id"})
        if unknown:
            known = ", ".join(self._limits)
            raise BadRequest(
                reason=f"Unrecognized attribute(s) '{', '.join(unknown)[:200]}'; there are limits of {known}"
            )
        try:
            return {kind: _LIMIT(limit) for kind, limit in given.items() if kind in self._limits}
        except BadValue as error:
            raise BadInput(attribute="quota", reason=str(error)) from None


def _flag(value: Any) -> bool:
    try:
        return boolean(value)
    except BadValue as error:
        raise BadInput(attribute="force", reason=str(error)) from None


def _replace_txn(tx: Transaction, project_id: str, wanted: store.Limits, force: bool) -> None:
    """Set limits; one below what is used only by force."""
    for kind, limit in wanted.items():
        used = store.used_txn(tx, project_id, kind)
        if limit != store.UNLIMITED and limit < used and not force:
            reason = f"Quota limit {limit} for {kind} must be greater than or equal to already used {used}"
            raise BadRequest(reason=f"{reason}; give force to set it nevertheless")
    store.replace_txn(tx, project_id, wanted)


def _details_txn(tx: Transaction, limits: store.Limits, project_id: str) -> dict[str, dict[str, int]]:
    return {
        kind: {"limit": limit, "used": store.used_txn(tx, project_id, kind), "reserved": 0}
        for kind, limit in store.of_txn(tx, limits, project_id).items()
    }
