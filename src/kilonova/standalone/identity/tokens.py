"""Tokens (Identity API v3, "Authentication and token management"): issue, validate, revoke; what a token's owner may reach."""

from collections.abc import Sequence
from typing import Any

from kilonova.kernel.errors import NotAuthenticated
from kilonova.standalone.identity.authority import Grant, scoped_roles_txn
from kilonova.standalone.identity.catalog import Catalog
from kilonova.standalone.identity.context import Context, is_set, timestamp
from kilonova.standalone.identity.domains import DEFAULT_REF, Domains
from kilonova.standalone.identity.login import log_in
from kilonova.standalone.identity.projects import project_document, reachable_projects_txn
from kilonova.standalone.identity.store import Missing, revoke_token_txn
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Route


class Tokens:
    """The paths under `/v3/auth`."""

    def __init__(self, context: Context, catalog: Catalog) -> None:
        """Answer from `context`; a scoped token brings the catalog along."""
        self._context = context
        self._catalog = catalog

    def routes(self) -> Sequence[Route]:
        """The paths under `/v3/auth`."""
        return (
            Route(
                method="POST",
                path="/v3/auth/tokens",
                handler=self.issue,
                success=201,
                body=Body.JSON,
                public=True,
            ),
            Route(method="GET", path="/v3/auth/tokens", handler=self.validate),
            Route(method="DELETE", path="/v3/auth/tokens", handler=self.revoke, success=204),
            Route(method="GET", path="/v3/auth/catalog", handler=self.catalog),
            Route(method="GET", path="/v3/auth/projects", handler=self.projects),
            Route(method="GET", path="/v3/auth/domains", handler=self.domains),
            Route(method="GET", path="/v3/auth/system", handler=self.system),
        )

    async def issue(self, call: Call) -> Reply:
        """POST /v3/auth/tokens."""
        grant = await log_in(self._context, call)
        token = self._context.authority.sign(grant.claims)
        return self._reply(call, grant, token)

    async def validate(self, call: Call) -> Reply:
        """GET and HEAD /v3/auth/tokens: what the token in X-Subject-Token grants."""
        token, grant = await self._subject(call, "validate_token")
        return self._reply(call, grant, token)

    async def revoke(self, call: Call) -> Reply:
        """DELETE /v3/auth/tokens."""
        _, grant = await self._subject(call, "revoke_token")
        await self._context.store.change(revoke_token_txn, grant.claims.audit_id, grant.claims.expires_at)
        return Reply()

    async def catalog(self, call: Call) -> Reply:
        """GET /v3/auth/catalog: for scoped tokens."""
        grant = await self._context.authority.grant(call.user.token)
        entries = self._catalog.document() if grant.claims.scope else []
        return Reply({"catalog": entries, "links": {"next": None, "self": self._self(call), "previous": None}})

    async def projects(self, call: Call) -> Reply:
        """GET /v3/auth/projects: those that the owner could scope a token to."""
        rows = await self._context.store.scan(reachable_projects_txn, call.user.user_id)
        documents = [project_document(row, self._context) for row in rows if row["enabled"]]
        return self._context.listing(call, "projects", documents)

    async def domains(self, call: Call) -> Reply:
        """GET /v3/auth/domains: those that the owner could scope a token to."""
        roles = await self._context.store.read(scoped_roles_txn, call.user.user_id, ("domain", DEFAULT_REF["id"]))
        documents = [Domains(self._context).document()] if roles else []
        return self._context.listing(call, "domains", documents)

    async def system(self, call: Call) -> Reply:
        """GET /v3/auth/system."""
        roles = await self._context.store.read(scoped_roles_txn, call.user.user_id, ("system", "all"))
        return Reply({"system": [{"all": True}] if roles else [], "links": {"self": self._self(call)}})

    async def _subject(self, call: Call, rule: str) -> tuple[str, Grant]:
        """The token in X-Subject-Token, and what it grants. Raises `Missing` for a worthless one."""
        token = call.headers.get("x-subject-token", "")
        try:
            grant = await self._context.authority.grant(token)
        except NotAuthenticated as error:
            self._context.enforce(call, rule, **{"target.token.user_id": None})
            raise Missing(kind="token", id="the subject token is not valid") from error
        self._context.enforce(call, rule, **{"target.token.user_id": grant.user["id"]})
        return token, grant

    def _reply(self, call: Call, grant: Grant, token: str) -> Reply:
        document = token_document(grant)
        if grant.claims.scope and not is_set(call, "nocatalog"):
            document["catalog"] = self._catalog.document()
        return Reply({"token": document}, headers={"X-Subject-Token": token, "Vary": "X-Auth-Token"})

    def _self(self, call: Call) -> str:
        return self._context.url + call.path


def token_document(grant: Grant) -> dict[str, Any]:
    """A token as the API shows it, without the catalog."""
    claims = grant.claims
    audit_ids = [claims.audit_id, claims.parent_audit_id] if claims.parent_audit_id else [claims.audit_id]
    document: dict[str, Any] = {
        "methods": list(claims.methods),
        "user": {
            "id": grant.user["id"],
            "name": grant.user["name"],
            "domain": DEFAULT_REF,
            "password_expires_at": None,
        },
        "audit_ids": audit_ids,
        "issued_at": timestamp(claims.issued_at),
        "expires_at": timestamp(claims.expires_at),
    }
    if claims.scope:
        document["roles"] = [{"id": role["id"], "name": role["name"]} for role in grant.roles]
    if grant.project is not None:
        document["project"] = {"id": grant.project["id"], "name": grant.project["name"], "domain": DEFAULT_REF}
        document["is_domain"] = False
    if claims.domain_id is not None:
        document["domain"] = DEFAULT_REF
    if claims.system:
        document["system"] = {"all": True}
    if grant.credential is not None:
        document["application_credential"] = {
            "id": grant.credential["id"],
            "name": grant.credential["name"],
            "restricted": not grant.credential["unrestricted"],
        }
    return document
