"""Who has which role where (Identity API v3, "Roles", "Role assignments"): on projects, the domain, the system."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kilonova.database.database import Transaction
from kilonova.standalone.identity import tables
from kilonova.standalone.identity.authority import expand, implications_txn
from kilonova.standalone.identity.context import Context, by_id, is_set
from kilonova.standalone.identity.domains import DEFAULT_REF
from kilonova.standalone.identity.store import Missing, Row, find_txn, get_txn, put_txn, remove_txn, rows_txn
from kilonova.standalone.identity.tables import DEFAULT_DOMAIN_ID
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Route

_PREFIXES = {
    "project": "/v3/projects/{target_id}",
    "domain": "/v3/domains/{target_id}",
    "system": "/v3/system",
}


class RoleAssignments:
    """Grants, and the list of all of them."""

    def __init__(self, context: Context) -> None:
        """Answer from `context`."""
        self._context = context

    def routes(self) -> Sequence[Route]:
        """PUT, HEAD, DELETE and list under each kind of target; `/v3/role_assignments`."""
        routes = [Route(method="GET", path="/v3/role_assignments", handler=self.list_all)]
        for prefix in _PREFIXES.values():
            roles = f"{prefix}/users/{{user_id}}/roles"
            one = f"{roles}/{{role_id}}"
            routes += (
                Route(method="GET", path=roles, handler=self.list),
                Route(method="PUT", path=one, handler=self.grant, success=204),
                Route(method="GET", path=one, handler=self.check, success=204),
                Route(method="DELETE", path=one, handler=self.revoke, success=204),
            )
        return routes

    async def list(self, call: Call) -> Reply:
        """GET .../users/{user_id}/roles."""
        scope, target_id = _target(call)
        self._context.enforce(call, _rule(scope, "list"))
        roles = await self._context.store.read(_granted_txn, scope, target_id, call.params["user_id"])
        documents = [self._role(role) for role in roles]
        return self._context.listing(call, "roles", documents)

    async def grant(self, call: Call) -> Reply:
        """PUT .../users/{user_id}/roles/{role_id}."""
        scope, _ = _target(call)
        self._context.enforce(call, _rule(scope, "create"))
        await self._context.store.change(_grant_txn, _assignment(call))
        return Reply()

    async def check(self, call: Call) -> Reply:
        """GET and HEAD .../users/{user_id}/roles/{role_id}."""
        scope, _ = _target(call)
        self._context.enforce(call, _rule(scope, "check"))
        if await self._context.store.read(find_txn, tables.assignments, **_assignment(call)) is None:
            raise Missing(kind="role assignment with role", id=call.params["role_id"])
        return Reply()

    async def revoke(self, call: Call) -> Reply:
        """DELETE .../users/{user_id}/roles/{role_id}."""
        scope, _ = _target(call)
        self._context.enforce(call, _rule(scope, "revoke"))
        if not await self._context.store.change(remove_txn, tables.assignments, _assignment(call)):
            raise Missing(kind="role assignment with role", id=call.params["role_id"])
        return Reply()

    async def list_all(self, call: Call) -> Reply:
        """GET /v3/role_assignments, with filters, `effective` and `include_names`."""
        self._context.enforce(call, "list_role_assignments")
        found = await self._context.store.scan(_assignments_txn, is_set(call, "effective"))
        asked = dict(call.query)
        chosen = [row for row in found["assignments"] if _matches(row, asked)]
        names = found if is_set(call, "include_names") else None
        documents = [self._document(row, names) for row in chosen]
        return self._context.listing(call, "role_assignments", documents)

    def _role(self, row: Row) -> Mapping[str, Any]:
        links = {"self": self._context.link(f"roles/{row['id']}")}
        return {"id": row["id"], "name": row["name"], "domain_id": None, "links": links}

    def _document(self, row: Row, names: Mapping[str, Any] | None) -> Mapping[str, Any]:
        scope, target_id = row["scope"], row["target_id"]
        role: dict[str, Any] = {"id": row["role_id"]}
        user: dict[str, Any] = {"id": row["user_id"]}
        target: dict[str, Any] = {"id": target_id}
        if names is not None:
            role["name"] = names["roles"][row["role_id"]]["name"]
            user |= {"name": names["users"][row["user_id"]]["name"], "domain": DEFAULT_REF}
            if scope == "project":
                target |= {"name": names["projects"][target_id]["name"], "domain": DEFAULT_REF}
            elif scope == "domain":
                target = dict(DEFAULT_REF)
        where = "system" if scope == "system" else f"{scope}s/{target_id}"
        link = self._context.link(f"{where}/users/{row['user_id']}/roles/{row['role_id']}")
        scoped = {"system": {"all": True}} if scope == "system" else {scope: target}
        return {"role": role, "user": user, "scope": scoped, "links": {"assignment": link}}


def _target(call: Call) -> tuple[str, str]:
    """Kind and id of what the path grants a role on."""
    kind = call.path.split("/")[2].removesuffix("s")
    return kind, call.params.get("target_id", "all")


def _rule(scope: str, verb: str) -> str:
    """Keystone's names: one family for projects and domains, one for the system."""
    if scope != "system":
        return f"{verb}_grants" if verb == "list" else f"{verb}_grant"
    return "list_system_grants_for_user" if verb == "list" else f"{verb}_system_grant_for_user"


def _assignment(call: Call) -> dict[str, str]:
    scope, target_id = _target(call)
    user_id, role_id = call.params["user_id"], call.params["role_id"]
    return {"user_id": user_id, "scope": scope, "target_id": target_id, "role_id": role_id}


def _target_txn(tx: Transaction, scope: str, target_id: str) -> None:
    """Raise `Missing` for a target that does not exist."""
    if scope == "project":
        get_txn(tx, tables.projects, "project", target_id)
    if scope == "domain" and target_id != DEFAULT_DOMAIN_ID:
        raise Missing(kind="domain", id=target_id)


def _granted_txn(tx: Transaction, scope: str, target_id: str, user_id: str) -> Sequence[Row]:
    _target_txn(tx, scope, target_id)
    get_txn(tx, tables.users, "user", user_id)
    rows = rows_txn(tx, tables.assignments, scope=scope, target_id=target_id, user_id=user_id)
    return [get_txn(tx, tables.roles, "role", row["role_id"]) for row in rows]


def _grant_txn(tx: Transaction, assignment: Mapping[str, str]) -> None:
    _target_txn(tx, assignment["scope"], assignment["target_id"])
    get_txn(tx, tables.users, "user", assignment["user_id"])
    get_txn(tx, tables.roles, "role", assignment["role_id"])
    put_txn(tx, tables.assignments, assignment)


def _assignments_txn(tx: Transaction, effective: bool) -> Mapping[str, Any]:
    """All assignments, with implied roles in place of nothing when `effective`, and what they mention by id."""
    rows: Iterable[Row] = rows_txn(tx, tables.assignments)
    if effective:
        implied = implications_txn(tx)
        rows = [{**row, "role_id": id_} for row in rows for id_ in expand([row["role_id"]], implied)]
    unique = {(row["user_id"], row["scope"], row["target_id"], row["role_id"]): row for row in rows}
    mentioned = {name: by_id(rows_txn(tx, tables.metadata.tables[name])) for name in ("users", "projects", "roles")}
    return {"assignments": list(unique.values()), **mentioned}


def _matches(row: Row, asked: Mapping[str, str]) -> bool:
    """Whether an assignment passes the filters; groups and inheritance, which don't exist, match none."""
    if "group.id" in asked or "scope.OS-INHERIT:inherited_to" in asked:
        return False
    if asked.get("user.id", row["user_id"]) != row["user_id"] or asked.get("role.id", row["role_id"]) != row["role_id"]:
        return False
    for scope in ("project", "domain"):
        wanted = asked.get(f"scope.{scope}.id")
        if wanted is not None and (row["scope"], row["target_id"]) != (scope, wanted):
            return False
    return "scope.system" not in asked or row["scope"] == "system"
