"""Roles and which imply which (Identity API v3, "Roles")."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Forbidden, Invalid
from kilonova.standalone.identity import tables
from kilonova.standalone.identity.context import Context, by_id, changes, given
from kilonova.standalone.identity.fields import Id, Name, Text
from kilonova.standalone.identity.store import (
    Missing,
    Row,
    delete_role_txn,
    find_txn,
    get_txn,
    insert_txn,
    put_txn,
    remove_txn,
    rows_txn,
    update_txn,
)
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Route

ADMIN = "admin"


class NeverImplied(Forbidden):
    """The role 'admin' can't be implied by another."""

    code = "admin-implied"


class RoleChange(Struct):
    """What may be given of a role."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    domain_id: Id | None = None
    """Roles of a domain don't exist here."""


class Roles:
    """The paths under `/v3/roles` and `/v3/role_inferences`."""

    def __init__(self, context: Context) -> None:
        """Answer from `context`."""
        self._context = context

    def routes(self) -> Sequence[Route]:
        """Create, list, show, update, delete; implied roles."""
        one = "/v3/roles/{role_id}"
        implied = "/v3/roles/{role_id}/implies/{implied_id}"
        return (
            Route(method="POST", path="/v3/roles", handler=self.create, success=201, body=Body.JSON),
            Route(method="GET", path="/v3/roles", handler=self.list),
            Route(method="GET", path=one, handler=self.show),
            Route(method="PATCH", path=one, handler=self.update, body=Body.JSON),
            Route(method="DELETE", path=one, handler=self.delete, success=204),
            Route(method="GET", path=f"{one}/implies", handler=self.implied),
            Route(method="PUT", path=implied, handler=self.imply, success=201),
            Route(method="GET", path=implied, handler=self.show_implied),
            Route(method="DELETE", path=implied, handler=self.imply_no_more, success=204),
            Route(method="GET", path="/v3/role_inferences", handler=self.inferences),
        )

    async def create(self, call: Call) -> Reply:
        """POST /v3/roles."""
        self._context.enforce(call, "create_role")
        values = _columns(given(call, "role", RoleChange))
        if "name" not in values:
            raise Invalid(reason="A role needs a name.")
        row = {"id": self._context.new_id(), "description": "", **values}
        await self._context.store.change(insert_txn, tables.roles, "role", row)
        return Reply({"role": self._document(row)})

    async def list(self, call: Call) -> Reply:
        """GET /v3/roles."""
        self._context.enforce(call, "list_roles")
        rows = await self._context.store.scan(rows_txn, tables.roles)
        return self._context.listing(call, "roles", [self._document(row) for row in rows], "name", "domain_id")

    async def show(self, call: Call) -> Reply:
        """GET /v3/roles/{role_id}."""
        self._context.enforce(call, "get_role")
        row = await self._context.store.read(get_txn, tables.roles, "role", call.params["role_id"])
        return Reply({"role": self._document(row)})

    async def update(self, call: Call) -> Reply:
        """PATCH /v3/roles/{role_id}."""
        self._context.enforce(call, "update_role")
        values = _columns(given(call, "role", RoleChange))
        role_id = call.params["role_id"]
        row = await self._context.store.change(update_txn, tables.roles, "role", role_id, values)
        return Reply({"role": self._document(row)})

    async def delete(self, call: Call) -> Reply:
        """DELETE /v3/roles/{role_id}."""
        self._context.enforce(call, "delete_role")
        await self._context.store.change(delete_role_txn, call.params["role_id"])
        return Reply()

    async def implied(self, call: Call) -> Reply:
        """GET /v3/roles/{role_id}/implies."""
        self._context.enforce(call, "list_implied_roles")
        prior, roles = await self._context.store.read(_implied_txn, call.params["role_id"])
        inference = {"prior_role": self._short(prior), "implies": [self._short(role) for role in roles]}
        return Reply({"role_inference": inference, "links": {"self": self._context.link(call.path[4:])}})

    async def imply(self, call: Call) -> Reply:
        """PUT /v3/roles/{role_id}/implies/{implied_id}."""
        self._context.enforce(call, "create_implied_role")
        prior, implied = await self._context.store.change(_imply_txn, call.params["role_id"], call.params["implied_id"])
        return self._inference(call, prior, implied)

    async def show_implied(self, call: Call) -> Reply:
        """GET and HEAD of one implication."""
        self._context.enforce(call, "get_implied_role")
        prior, roles = await self._context.store.read(_implied_txn, call.params["role_id"])
        for role in roles:
            if role["id"] == call.params["implied_id"]:
                return self._inference(call, prior, role)
        raise Missing(kind="implied role", id=call.params["implied_id"])

    async def imply_no_more(self, call: Call) -> Reply:
        """DELETE of one implication."""
        self._context.enforce(call, "delete_implied_role")
        row = {"prior_id": call.params["role_id"], "implied_id": call.params["implied_id"]}
        if not await self._context.store.change(remove_txn, tables.implied_roles, row):
            raise Missing(kind="implied role", id=call.params["implied_id"])
        return Reply()

    async def inferences(self, call: Call) -> Reply:
        """GET /v3/role_inferences: every implication, by the role that implies."""
        self._context.enforce(call, "list_role_inference_rules")
        roles = by_id(await self._context.store.scan(rows_txn, tables.roles))
        implied: dict[str, list[Mapping[str, Any]]] = {}
        for row in await self._context.store.scan(rows_txn, tables.implied_roles):
            implied.setdefault(row["prior_id"], []).append(self._short(roles[row["implied_id"]]))
        rules = [{"prior_role": self._short(roles[prior]), "implies": each} for prior, each in implied.items()]
        return Reply({"role_inferences": rules, "links": {"self": self._context.link("role_inferences")}})

    def _inference(self, call: Call, prior: Row, implied: Row) -> Reply:
        inference = {"prior_role": self._short(prior), "implies": self._short(implied)}
        return Reply({"role_inference": inference, "links": {"self": self._context.link(call.path[4:])}})

    def _short(self, row: Row) -> Mapping[str, Any]:
        links = {"self": self._context.link(f"roles/{row['id']}")}
        return {"id": row["id"], "name": row["name"], "description": row["description"], "links": links}

    def _document(self, row: Row) -> Mapping[str, Any]:
        return {**self._short(row), "domain_id": None, "options": {}}


def _columns(change: RoleChange) -> dict[str, Any]:
    values = changes(change)
    if values.pop("domain_id") is not None:
        raise Invalid(reason="Roles belong to the whole cloud, never to a domain.")
    if values.get("description", "") is None:
        values["description"] = ""
    return values


def _implied_txn(tx: Transaction, prior_id: str) -> tuple[Row, Sequence[Row]]:
    prior = get_txn(tx, tables.roles, "role", prior_id)
    rows = rows_txn(tx, tables.implied_roles, prior_id=prior_id)
    return prior, [get_txn(tx, tables.roles, "role", row["implied_id"]) for row in rows]


def _imply_txn(tx: Transaction, prior_id: str, implied_id: str) -> tuple[Row, Row]:
    prior = get_txn(tx, tables.roles, "role", prior_id)
    implied = get_txn(tx, tables.roles, "role", implied_id)
    if implied["name"] == ADMIN:
        raise NeverImplied
    if prior_id == implied_id or find_txn(tx, tables.implied_roles, prior_id=implied_id, implied_id=prior_id):
        raise Invalid(reason="Roles can't imply each other in a circle.")
    put_txn(tx, tables.implied_roles, {"prior_id": prior_id, "implied_id": implied_id})
    return prior, implied
