"""What a token is worth now: its claims, held against the database.

Roles, projects and users may change after a token was issued, so they are looked up when it is used. What was found is
kept until the next change of the database, which one number tells: a token seen before costs a dictionary look-up and one
point read.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kilonova.database.database import Transaction
from kilonova.kernel.errors import NotAuthenticated
from kilonova.kernel.ids import ProjectId, UserId
from kilonova.objects.caller import Caller
from kilonova.runtime.runtime import Runtime
from kilonova.standalone.identity import claims as claims_
from kilonova.standalone.identity import tables
from kilonova.standalone.identity.claims import Claims
from kilonova.standalone.identity.store import IdentityStore, Row, find_txn, generation_txn, rows_txn
from kilonova.standalone.identity.tables import DEFAULT_DOMAIN_ID, DEFAULT_DOMAIN_NAME

REMEMBERED_MAX = 4096
"""Most tokens whose worth is remembered."""


@dataclass(frozen=True)
class Grant:
    """What a valid token grants."""

    claims: Claims
    user: Row
    project: Row | None
    credential: Row | None
    roles: tuple[Row, ...]
    """By name, implied ones included."""


class Authority:
    """Says what tokens are worth."""

    def __init__(self, store: IdentityStore, secret: str, runtime: Runtime) -> None:
        """`secret` signs the tokens."""
        self._store = store
        self._secret = secret
        self._runtime = runtime
        self._remembered: OrderedDict[str, tuple[Grant, Caller]] = OrderedDict()
        self._generation = -1

    def sign(self, claims: Claims) -> str:
        """The token that says `claims`."""
        return claims_.sign(claims, self._secret)

    async def caller(self, token: str) -> Caller:
        """The owner of a token. Raises `NotAuthenticated`."""
        return (await self._known(token))[1]

    async def grant(self, token: str) -> Grant:
        """All that a token grants. Raises `NotAuthenticated`."""
        return (await self._known(token))[0]

    async def _known(self, token: str) -> tuple[Grant, Caller]:
        generation = await self._store.read(generation_txn)
        if generation != self._generation:
            self._remembered.clear()
            self._generation = generation
        known = self._remembered.get(token)
        if known is None:
            known = await self._look_up(token)
        grant = known[0]
        ends = grant.credential and grant.credential["expires_at"]
        if self._runtime.now() >= min(grant.claims.expires_at, ends or grant.claims.expires_at):
            raise NotAuthenticated
        return known

    async def _look_up(self, token: str) -> tuple[Grant, Caller]:
        """What a token is worth; remembered unless the database has moved on since it was read."""
        claims = claims_.read(token, self._secret)
        generation, grant = await self._store.read(lambda tx: (generation_txn(tx), granted_txn(tx, claims)))
        known = grant, _caller(grant, token)
        if generation == self._generation:
            self._remembered[token] = known
            if len(self._remembered) > REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        return known


def granted_txn(tx: Transaction, claims: Claims) -> Grant:
    """What `claims` grant now, whatever the time. Raises `NotAuthenticated` for what was revoked, disabled or deleted."""
    user = find_txn(tx, tables.users, id=claims.user_id)
    if user is None or not user["enabled"] or user["token_series"] != claims.series:
        raise NotAuthenticated
    if find_txn(tx, tables.revoked_tokens, audit_id=claims.audit_id) is not None:
        raise NotAuthenticated
    project = credential = None
    if claims.project_id is not None:
        project = find_txn(tx, tables.projects, id=claims.project_id)
        if project is None or not project["enabled"]:
            raise NotAuthenticated
    if claims.credential_id is not None:
        credential = find_txn(tx, tables.application_credentials, id=claims.credential_id)
        if credential is None:
            raise NotAuthenticated
    roles = scoped_roles_txn(tx, claims.user_id, claims.scope, credential)
    if claims.scope is not None and not roles:
        raise NotAuthenticated
    return Grant(claims, user, project, credential, roles)


def scoped_roles_txn(
    tx: Transaction, user_id: str, scope: tuple[str, str] | None, credential: Row | None = None
) -> tuple[Row, ...]:
    """The roles of a user on a scope, implied ones included; those of an application credential only, where given."""
    if scope is None:
        return ()
    kind, target = scope
    assigned = rows_txn(tx, tables.assignments, user_id=user_id, scope=kind, target_id=target)
    if not assigned:
        return ()
    implied = implications_txn(tx)
    ids = expand([row["role_id"] for row in assigned], implied)
    if credential is not None:
        ids = expand([id_ for id_ in credential["role_ids"] if id_ in ids], implied)
    return tuple(role for role in rows_txn(tx, tables.roles) if role["id"] in ids)


def implications_txn(tx: Transaction) -> Mapping[str, Sequence[str]]:
    """The roles that each role implies directly."""
    implied: dict[str, list[str]] = {}
    for row in rows_txn(tx, tables.implied_roles):
        implied.setdefault(row["prior_id"], []).append(row["implied_id"])
    return implied


def expand(role_ids: Sequence[str], implied: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The roles with all that they imply, in the order found."""
    found = dict.fromkeys(role_ids)
    waiting = list(found)
    while waiting:
        for id_ in implied.get(waiting.pop(), ()):
            if id_ not in found:
                found[id_] = None
                waiting.append(id_)
    return tuple(found)


def _caller(grant: Grant, token: str) -> Caller:
    project = grant.project
    return Caller(
        user_id=UserId(grant.user["id"]),
        user_name=grant.user["name"],
        user_domain_id=DEFAULT_DOMAIN_ID,
        user_domain_name=DEFAULT_DOMAIN_NAME,
        project_id=ProjectId(project["id"]) if project else None,
        project_name=project["name"] if project else None,
        project_domain_id=DEFAULT_DOMAIN_ID if project else None,
        project_domain_name=DEFAULT_DOMAIN_NAME if project else None,
        system_scope=grant.claims.system,
        roles=tuple(role["name"] for role in grant.roles),
        expires_at=grant.claims.expires_at,
        token=token,
    )
