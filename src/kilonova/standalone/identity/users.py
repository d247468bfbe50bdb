"""Users (Identity API v3, "Users")."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Forbidden, Invalid, NotAuthenticated
from kilonova.standalone.identity import tables
from kilonova.standalone.identity.context import Context, changes, extra_of, given
from kilonova.standalone.identity.fields import Email, Id, Name, Secret, Text
from kilonova.standalone.identity.projects import project_document, reachable_projects_txn
from kilonova.standalone.identity.store import (
    Row,
    delete_user_txn,
    get_txn,
    insert_txn,
    revoke_user_tokens_txn,
    rows_txn,
    update_txn,
)
from kilonova.standalone.identity.tables import DEFAULT_DOMAIN_ID
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Route

_RESERVED = ("id", "links", "domain_id", "options", "password_expires_at", "federated")


class UserChange(Struct):
    """What may be given of a user."""

    name: Name | UnsetType = UNSET
    password: Secret | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    default_project_id: Id | UnsetType | None = UNSET


class Fixed(Struct):
    """What every user has alike."""

    domain_id: Id | None = DEFAULT_DOMAIN_ID
    options: Mapping[str, Any] = {}

    def check(self) -> None:
        """Raise `Invalid` for another domain, and for options, of which there are none."""
        if self.domain_id not in {DEFAULT_DOMAIN_ID, None}:
            raise Invalid(reason="Every user belongs to the domain 'default'.")
        if self.options:
            raise Invalid(reason=f"User options are not supported: {', '.join(sorted(self.options))}.")


class PasswordChange(Struct):
    """The body of a user's own change of password."""

    original_password: Secret
    password: Secret


class Users:
    """The paths under `/v3/users`, but for application credentials."""

    def __init__(self, context: Context) -> None:
        """Answer from `context`."""
        self._context = context

    def routes(self) -> Sequence[Route]:
        """Create, list, show, update, delete, change password; a user's projects and groups."""
        one = "/v3/users/{user_id}"
        return (
            Route(method="POST", path="/v3/users", handler=self.create, success=201, body=Body.JSON),
            Route(method="GET", path="/v3/users", handler=self.list),
            Route(method="GET", path=one, handler=self.show),
            Route(method="PATCH", path=one, handler=self.update, body=Body.JSON),
            Route(method="DELETE", path=one, handler=self.delete, success=204),
            Route(method="POST", path=f"{one}/password", handler=self.change_password, success=204, body=Body.JSON),
            Route(method="GET", path=f"{one}/projects", handler=self.projects),
            Route(method="GET", path=f"{one}/groups", handler=self.groups),
        )

    async def create(self, call: Call) -> Reply:
        """POST /v3/users."""
        self._context.enforce(call, "create_user")
        change = given(call, "user", UserChange)
        given(call, "user", Fixed).check()
        if change.name is UNSET:
            raise Invalid(reason="A user needs a name.")
        row = {
            "id": self._context.new_id(),
            "description": "",
            "email": None,
            "enabled": True,
            "default_project_id": None,
            "password_hash": None,
            **await self._columns(change),
            "token_series": 0,
            "extra": extra_of(call.body["user"], UserChange, _RESERVED),
        }
        await self._context.store.change(insert_txn, tables.users, "user", row)
        return self._reply(row)

    async def list(self, call: Call) -> Reply:
        """GET /v3/users."""
        self._context.enforce(call, "list_users")
        rows = await self._context.store.scan(rows_txn, tables.users)
        documents = [self._document(row) for row in rows]
        return self._context.listing(call, "users", documents, "name", "enabled", "domain_id")

    async def show(self, call: Call) -> Reply:
        """GET /v3/users/{user_id}."""
        user_id = call.params["user_id"]
        self._context.enforce(call, "get_user", **{"target.user.id": user_id})
        return self._reply(await self._context.store.read(get_txn, tables.users, "user", user_id))

    async def update(self, call: Call) -> Reply:
        """PATCH /v3/users/{user_id}: a new password, and disabling, revoke the user's tokens."""
        self._context.enforce(call, "update_user")
        change = given(call, "user", UserChange)
        given(call, "user", Fixed).check()
        values = await self._columns(change)
        extra = extra_of(call.body["user"], UserChange, _RESERVED)
        return self._reply(await self._context.store.change(_update_txn, call.params["user_id"], values, extra))

    async def delete(self, call: Call) -> Reply:
        """DELETE /v3/users/{user_id}."""
        self._context.enforce(call, "delete_user")
        await self._context.store.change(delete_user_txn, call.params["user_id"])
        return Reply()

    async def change_password(self, call: Call) -> Reply:
        """POST /v3/users/{user_id}/password: by the user, who knows the old one."""
        user_id = call.params["user_id"]
        if call.user.user_id != user_id:
            raise Forbidden(rule="identity:change_password")
        change = given(call, "user", PasswordChange)
        row = await self._context.store.read(get_txn, tables.users, "user", user_id)
        if not await self._context.passwords.matches(row["password_hash"], change.original_password):
            raise NotAuthenticated
        values = {"password_hash": await self._context.passwords.hash(change.password)}
        await self._context.store.change(_update_txn, user_id, values)
        return Reply()

    async def projects(self, call: Call) -> Reply:
        """GET /v3/users/{user_id}/projects: those that the user has a role on."""
        user_id = call.params["user_id"]
        self._context.enforce(call, "list_user_projects", **{"target.user.id": user_id})
        await self._context.store.read(get_txn, tables.users, "user", user_id)
        rows = await self._context.store.scan(reachable_projects_txn, user_id)
        documents = [project_document(row, self._context) for row in rows]
        return self._context.listing(call, "projects", documents, "name", "enabled", "domain_id")

    async def groups(self, call: Call) -> Reply:
        """GET /v3/users/{user_id}/groups: none, because there are no groups."""
        user_id = call.params["user_id"]
        self._context.enforce(call, "list_groups_for_user", **{"target.user.id": user_id})
        await self._context.store.read(get_txn, tables.users, "user", user_id)
        return self._context.listing(call, "groups", [])

    async def _columns(self, change: UserChange) -> dict[str, Any]:
        """Columns of the fields that were given, the password hashed."""
        values = changes(change)
        if "password" in values:
            password = values.pop("password")
            values["password_hash"] = None if password is None else await self._context.passwords.hash(password)
        if values.get("description", "") is None:
            values["description"] = ""
        return values

    def _reply(self, row: Row) -> Reply:
        return Reply({"user": self._document(row)})

    def _document(self, row: Row) -> Mapping[str, Any]:
        document = {
            **row["extra"],
            "id": row["id"],
            "name": row["name"],
            "domain_id": DEFAULT_DOMAIN_ID,
            "enabled": row["enabled"],
            "default_project_id": row["default_project_id"],
            "description": row["description"],
            "password_expires_at": None,
            "options": {},
            "links": {"self": self._context.link(f"users/{row['id']}")},
        }
        return document | {"email": row["email"]} if row["email"] is not None else document


def _update_txn(tx: Transaction, user_id: str, values: Row, extra: Row | None = None) -> Row:
    row = update_txn(tx, tables.users, "user", user_id, values, extra)
    if "password_hash" in values or values.get("enabled") is False:
        revoke_user_tokens_txn(tx, user_id)
    return row
