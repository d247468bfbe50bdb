"""Authentication: who it is (by password, token or application credential), and for which scope (Identity API v3, "Tokens")."""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from kilonova.database.database import Transaction
from kilonova.kernel.errors import Invalid, NotAuthenticated
from kilonova.standalone.identity import tables
from kilonova.standalone.identity.authority import Grant, granted_txn, scoped_roles_txn
from kilonova.standalone.identity.claims import Claims
from kilonova.standalone.identity.context import Context, given
from kilonova.standalone.identity.fields import Id, Name, Secret
from kilonova.standalone.identity.store import Row, find_txn
from kilonova.standalone.identity.tables import DEFAULT_DOMAIN_ID, DEFAULT_DOMAIN_NAME
from kilonova.web.call import Call


class NoAccess(NotAuthenticated):
    """User {user} has no access to {scope}."""

    code = "no-access"


class NotRescoped(NotAuthenticated):
    """Application credentials cannot request a scope: their project is theirs alone."""

    code = "application-credential-scope"


class DomainRef(Struct, frozen=True):
    """A domain, by id or name."""

    id: Id | None = None
    name: Name | None = None

    @property
    def known(self) -> bool:
        """Whether it is the one domain there is."""
        return self.id == DEFAULT_DOMAIN_ID or (self.id is None and self.name == DEFAULT_DOMAIN_NAME)


class Ref(Struct, frozen=True):
    """A user or project: by id, or by name in a domain."""

    id: Id | None = None
    name: Name | None = None
    domain: DomainRef | None = None

    def find_txn(self, tx: Transaction, table: Any) -> Row | None:
        """The row meant, if it exists. Raises `Invalid` when the reference is incomplete."""
        if self.id is not None:
            return find_txn(tx, table, id=self.id)
        if self.name is None or self.domain is None:
            raise Invalid(reason="Give an id, or a name together with its domain.")
        return find_txn(tx, table, name=self.name) if self.domain.known else None


class PasswordUser(Ref, frozen=True):
    """Who logs in by password."""

    password: Secret = ""


class PasswordMethod(Struct, frozen=True):
    """`auth.identity.password`."""

    user: PasswordUser


class TokenMethod(Struct, frozen=True):
    """`auth.identity.token`."""

    id: Annotated[str, Meta(min_length=1)]


class CredentialMethod(Struct, frozen=True):
    """`auth.identity.application_credential`."""

    secret: Secret
    id: Id | None = None
    name: Name | None = None
    user: Ref | None = None


class IdentityPart(Struct, frozen=True):
    """`auth.identity`."""

    methods: Annotated[list[str], Meta(min_length=1, max_length=3)]
    password: PasswordMethod | None = None
    token: TokenMethod | None = None
    application_credential: CredentialMethod | None = None


class Scope(Struct, frozen=True, forbid_unknown_fields=True):
    """`auth.scope`."""

    project: Ref | None = None
    domain: DomainRef | None = None
    system: Mapping[str, bool] | None = None
    unscoped: Mapping[str, Any] | None = None


class Auth(Struct, frozen=True):
    """`auth`."""

    identity: IdentityPart
    scope: Scope | str | UnsetType = UNSET


class _Login(Struct, frozen=True):
    """Who it is, once proven."""

    user: Row
    methods: tuple[str, ...]
    parent: Claims | None = None
    credential: Row | None = None


async def log_in(context: Context, call: Call) -> Grant:
    """The grant that a body of `POST /v3/auth/tokens` asks for.

    Raises `NotAuthenticated` when it can't be had, `Invalid` when the body can't be understood.
    """
    auth = given(call, "auth", Auth)
    login = await _proven(context, auth.identity)
    if login.credential is not None and auth.scope is not UNSET:
        raise NotRescoped
    return await context.store.read(_granted_txn, context, login, auth.scope)


async def _proven(context: Context, asked: IdentityPart) -> _Login:
    """Check every method named; they must agree on the user."""
    logins = []
    for method in dict.fromkeys(asked.methods):
        details = getattr(asked, method, None) if method in _METHODS else None
        if details is None:
            raise Invalid(reason=f"Method '{method}' is not supported, or its part of the body is missing.")
        logins.append(await _METHODS[method](context, details))
    if any(login.user["id"] != logins[0].user["id"] for login in logins):
        raise NotAuthenticated
    first = next((login for login in logins if login.parent or login.credential), logins[0])
    methods = dict.fromkeys(method for login in logins for method in login.methods)
    return _Login(first.user, tuple(methods), first.parent, first.credential)


async def _by_password(context: Context, asked: PasswordMethod) -> _Login:
    user = await context.store.read(asked.user.find_txn, tables.users)
    stored = user["password_hash"] if user else None
    if not await context.passwords.matches(stored, asked.user.password) or user is None:
        raise NotAuthenticated
    return _Login(_enabled(user), ("password",))


async def _by_token(context: Context, asked: TokenMethod) -> _Login:
    grant = await context.authority.grant(asked.id)
    if grant.credential is not None:
        raise NotRescoped
    methods = (*(method for method in grant.claims.methods if method != "token"), "token")
    return _Login(grant.user, methods, parent=grant.claims)


async def _by_credential(context: Context, asked: CredentialMethod) -> _Login:
    found = await context.store.read(_credential_txn, asked)
    stored = found[1]["secret_hash"] if found else None
    if not await context.passwords.matches(stored, asked.secret) or found is None:
        raise NotAuthenticated
    user, credential = found
    ends = credential["expires_at"]
    if ends is not None and ends <= context.runtime.now():
        raise NotAuthenticated
    return _Login(_enabled(user), ("application_credential",), credential=credential)


_METHODS: Mapping[str, Any] = {
    "password": _by_password,
    "token": _by_token,
    "application_credential": _by_credential,
}


def _enabled(user: Row) -> Row:
    if not user["enabled"]:
        raise NotAuthenticated
    return user


def _credential_txn(tx: Transaction, asked: CredentialMethod) -> tuple[Row, Row] | None:
    """The owner and the application credential meant, if both exist."""
    table = tables.application_credentials
    if asked.id is not None:
        credential = find_txn(tx, table, id=asked.id)
    elif asked.name is not None and asked.user is not None:
        owner = asked.user.find_txn(tx, tables.users)
        credential = owner and find_txn(tx, table, user_id=owner["id"], name=asked.name)
    else:
        raise Invalid(reason="Give the application credential's id, or its name together with its user.")
    user = credential and find_txn(tx, tables.users, id=credential["user_id"])
    return (user, credential) if user and credential else None


def _granted_txn(tx: Transaction, context: Context, login: _Login, scope: Scope | str | UnsetType) -> Grant:
    """The claims of a new token and what they grant. Raises `NoAccess`."""
    now = context.runtime.now()
    ends = login.parent.expires_at if login.parent else now + context.token_life_s
    if login.credential is not None and login.credential["expires_at"] is not None:
        ends = min(ends, login.credential["expires_at"])
    first = (login.parent.parent_audit_id or login.parent.audit_id) if login.parent else None
    kind, target = _scope_txn(tx, login, scope)
    claims = Claims(
        audit_id=context.runtime.token(16),
        parent_audit_id=first,
        user_id=login.user["id"],
        series=login.user["token_series"],
        issued_at=now,
        expires_at=ends,
        methods=login.methods,
        project_id=target if kind == "project" else None,
        domain_id=target if kind == "domain" else None,
        system=kind == "system",
        credential_id=login.credential["id"] if login.credential else None,
    )
    try:
        return granted_txn(tx, claims)
    except NotAuthenticated as error:
        raise NoAccess(user=login.user["id"], scope=f"{kind} {target}".strip()) from error


def _scope_txn(tx: Transaction, login: _Login, asked: Scope | str | UnsetType) -> tuple[str, str]:
    """Kind and target of the scope asked for, or of the default; empty for none."""
    if login.credential is not None:
        return "project", login.credential["project_id"]
    if asked is UNSET:
        project_id = login.user["default_project_id"]
        project = project_id and find_txn(tx, tables.projects, id=project_id, enabled=True)
        usable = project and scoped_roles_txn(tx, login.user["id"], ("project", project_id))
        return ("project", project_id) if usable else ("", "")
    if isinstance(asked, str):
        asked = Scope(unscoped={}) if asked == "unscoped" else Scope()
    chosen = [name for name in ("project", "domain", "system", "unscoped") if getattr(asked, name) is not None]
    if len(chosen) != 1:
        raise Invalid(reason="The scope must be exactly one of project, domain, system and unscoped.")
    if asked.project is not None:
        project = asked.project.find_txn(tx, tables.projects)
        return "project", project["id"] if project else asked.project.id or str(asked.project.name)
    if asked.domain is not None:
        return "domain", DEFAULT_DOMAIN_ID if asked.domain.known else asked.domain.id or str(asked.domain.name)
    if asked.system is not None:
        if asked.system != {"all": True}:
            raise Invalid(reason="The only system scope is {'all': true}.")
        return "system", "all"
    return "", ""
