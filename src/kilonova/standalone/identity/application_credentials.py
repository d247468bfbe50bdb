"""Application credentials (Identity API v3, "Application credentials"): a user's own keys to one project."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Forbidden, Invalid, OverLimit
from kilonova.standalone.identity import tables
from kilonova.standalone.identity.authority import Grant
from kilonova.standalone.identity.context import Context, by_id, given, timestamp
from kilonova.standalone.identity.fields import Id, Name, Secret, Text
from kilonova.standalone.identity.store import (
    Missing,
    Row,
    delete_application_credential_txn,
    find_txn,
    insert_txn,
    rows_txn,
)
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Route

CREDENTIALS_MAX = 100
"""Most application credentials of a user."""


class Restricted(Forbidden):
    """An application credential can't make or delete application credentials unless it was created as unrestricted."""

    code = "restricted-application-credential"


class RoleRef(Struct, frozen=True):
    """A role, by id or name."""

    id: Id | None = None
    name: Name | None = None


class NewCredential(Struct, frozen=True):
    """What may be given of a new application credential."""

    name: Name
    secret: Secret | None = None
    description: Text | None = None
    expires_at: Annotated[str, Meta(max_length=64)] | None = None
    unrestricted: bool | None = None
    roles: Annotated[list[RoleRef], Meta(max_length=100)] | None = None
    access_rules: list[Any] | None = None


class ApplicationCredentials:
    """The paths under `/v3/users/{user_id}/application_credentials`."""

    def __init__(self, context: Context) -> None:
        """Answer from `context`."""
        self._context = context

    def routes(self) -> Sequence[Route]:
        """Create, list, show, delete; the empty list of access rules."""
        all_ = "/v3/users/{user_id}/application_credentials"
        one = f"{all_}/{{id}}"
        return (
            Route(method="POST", path=all_, handler=self.create, success=201, body=Body.JSON),
            Route(method="GET", path=all_, handler=self.list),
            Route(method="GET", path=one, handler=self.show),
            Route(method="DELETE", path=one, handler=self.delete, success=204),
            Route(method="GET", path="/v3/users/{user_id}/access_rules", handler=self.access_rules),
        )

    async def create(self, call: Call) -> Reply:
        """POST: for the owner's own project; the secret is shown this once."""
        user_id = call.params["user_id"]
        self._enforce(call, "create_application_credential")
        asked = given(call, "application_credential", NewCredential)
        grant = await self._free_hand(call)
        if grant.claims.project_id is None:
            raise Invalid(reason="An application credential belongs to a project: use a token scoped to one.")
        if asked.access_rules:
            raise Invalid(reason="Access rules are not supported.")
        secret = asked.secret or self._context.runtime.token(48)
        row = {
            "id": self._context.new_id(),
            "user_id": user_id,
            "name": asked.name,
            "project_id": grant.claims.project_id,
            "secret_hash": await self._context.passwords.hash(secret),
            "description": asked.description or "",
            "expires_at": _end(asked.expires_at, self._context.runtime.now()),
            "unrestricted": bool(asked.unrestricted),
            "role_ids": _role_ids(asked.roles, grant),
        }
        await self._context.store.change(_create_txn, row)
        document = self._document(row, by_id(grant.roles))
        return Reply({"application_credential": {**document, "secret": secret}})

    async def list(self, call: Call) -> Reply:
        """GET: a user's application credentials."""
        self._enforce(call, "list_application_credentials")
        table = tables.application_credentials
        rows = await self._context.store.scan(rows_txn, table, user_id=call.params["user_id"])
        roles = by_id(await self._context.store.scan(rows_txn, tables.roles))
        documents = [self._document(row, roles) for row in rows]
        return self._context.listing(call, "application_credentials", documents, "name")

    async def show(self, call: Call) -> Reply:
        """GET one."""
        self._enforce(call, "get_application_credential")
        row = await self._own(call)
        roles = by_id(await self._context.store.scan(rows_txn, tables.roles))
        return Reply({"application_credential": self._document(row, roles)})

    async def delete(self, call: Call) -> Reply:
        """DELETE one; its tokens end with it."""
        self._enforce(call, "delete_application_credential")
        await self._free_hand(call)
        row = await self._own(call)
        await self._context.store.change(delete_application_credential_txn, row["id"])
        return Reply()

    async def access_rules(self, call: Call) -> Reply:
        """GET /v3/users/{user_id}/access_rules: none, because they are not supported."""
        self._enforce(call, "list_access_rules")
        return self._context.listing(call, "access_rules", [])

    def _enforce(self, call: Call, rule: str) -> None:
        user_id = call.params["user_id"]
        self._context.enforce(call, rule, **{"user_id": user_id, "target.user.id": user_id})

    async def _free_hand(self, call: Call) -> Grant:
        """The caller's grant. Raises `Restricted` when it came by a restricted application credential."""
        grant = await self._context.authority.grant(call.user.token)
        if grant.credential is not None and not grant.credential["unrestricted"]:
            raise Restricted
        return grant

    async def _own(self, call: Call) -> Row:
        """The row that the path names. Raises `Missing`, also for another user's."""
        id_, user_id = call.params["id"], call.params["user_id"]
        row = await self._context.store.read(find_txn, tables.application_credentials, id=id_, user_id=user_id)
        if row is None:
            raise Missing(kind="application credential", id=id_)
        return row

    def _document(self, row: Row, roles: Mapping[str, Row]) -> Mapping[str, Any]:
        expires_at = row["expires_at"]
        known = [roles[id_] for id_ in row["role_ids"] if id_ in roles]
        path = f"users/{row['user_id']}/application_credentials/{row['id']}"
        return {
            "id": row["id"],
            "name": row["name"],
            "description": row["description"],
            "user_id": row["user_id"],
            "project_id": row["project_id"],
            "system": None,
            "expires_at": None if expires_at is None else timestamp(expires_at).removesuffix("Z"),
            "unrestricted": row["unrestricted"],
            "roles": [{"id": role["id"], "name": role["name"], "domain_id": None} for role in known],
            "links": {"self": self._context.link(path)},
        }


def _create_txn(tx: Transaction, row: Row) -> None:
    used = len(rows_txn(tx, tables.application_credentials, user_id=row["user_id"]))
    if used >= CREDENTIALS_MAX:
        raise OverLimit(resource="application_credentials", requested=1, used=used, limit=CREDENTIALS_MAX)
    insert_txn(tx, tables.application_credentials, "application_credential", row)


def _role_ids(asked: Sequence[RoleRef] | None, grant: Grant) -> list[str]:
    """The roles asked for, all of the caller's by default. Raises `Invalid` for one the caller does not have."""
    if not asked:
        return [role["id"] for role in grant.roles]
    chosen = []
    for ref in asked:
        wanted = ("id", ref.id) if ref.id else ("name", ref.name)
        own = [role["id"] for role in grant.roles if role[wanted[0]] == wanted[1]]
        if not own:
            raise Invalid(reason=f"You have no role {wanted[1]} on this project to give to the credential.")
        chosen += own
    return list(dict.fromkeys(chosen))


def _end(text: str | None, now: float) -> float | None:
    """Seconds since the epoch of an ISO 8601 time, UTC unless it says otherwise. Raises `Invalid`, also for the past."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        end = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise Invalid(reason=f"expires_at is not a time in ISO 8601: {text}") from error
    if end <= now:
        raise Invalid(reason="expires_at lies in the past.")
    return end
