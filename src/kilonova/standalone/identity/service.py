"""The identity service put together: an ASGI application, and what the other services of the process ask of it."""

from collections.abc import Mapping, Sequence

from kilonova.database.database import Database
from kilonova.objects.caller import Caller
from kilonova.runtime.runtime import Runtime
from kilonova.standalone.identity import tables
from kilonova.standalone.identity.application_credentials import ApplicationCredentials
from kilonova.standalone.identity.authority import Authority
from kilonova.standalone.identity.bootstrap import bootstrap
from kilonova.standalone.identity.catalog import Catalog
from kilonova.standalone.identity.context import CatalogEntry, Context, error_body
from kilonova.standalone.identity.domains import Domains
from kilonova.standalone.identity.groups import Groups
from kilonova.standalone.identity.passwords import HashCost, Passwords
from kilonova.standalone.identity.policy import RULES
from kilonova.standalone.identity.projects import Projects
from kilonova.standalone.identity.role_assignments import RoleAssignments
from kilonova.standalone.identity.roles import Roles
from kilonova.standalone.identity.store import IdentityStore, find_txn, prepare_txn
from kilonova.standalone.identity.tokens import Tokens
from kilonova.standalone.identity.users import Users
from kilonova.standalone.identity.versions import Versions
from kilonova.web.policy import Policy
from kilonova.web.routing import Route
from kilonova.web.service import Dialect, Service

BODY_MAX = 114_688
"""Largest request body taken, in bytes; Keystone's own default."""
TOKEN_LIFE_S = 12 * 3600.0


class StandaloneIdentity:
    """Implements `clients.identity.Identity` in process; `service` answers the Identity API."""

    def __init__(self, context: Context) -> None:
        """Answer from `context`; `open_identity` makes it."""
        self._context = context
        dialect = Dialect(
            name="identity",
            error_body=error_body,
            body_max=BODY_MAX,
            challenge=f'Keystone uri="{context.url}"',
        )
        self.service = Service(dialect, _routes(context), self, context.runtime)

    async def caller(self, token: str) -> Caller:
        """See `Identity.caller`."""
        return await self._context.authority.caller(token)

    async def project_exists(self, project_id: str) -> bool:
        """See `Identity.project_exists`."""
        return await self._context.store.read(find_txn, tables.projects, id=project_id) is not None

    async def close(self) -> None:
        """See `Identity.close`. The database belongs to whoever opened it."""


async def open_identity(
    database: Database,
    runtime: Runtime,
    *,
    url: str,
    catalog: Sequence[CatalogEntry],
    passwords: Mapping[str, str],
    region: str = "RegionOne",
    token_life_s: float = TOKEN_LIFE_S,
    hash_cost: HashCost = HashCost(),  # noqa: B008 - frozen
    policy: Mapping[str, str] | None = None,
) -> StandaloneIdentity:
    """Open the identity service on a database whose tables (`tables.metadata`) are there.

    Args:
        database: the identity database.
        runtime: clock, ids and threads.
        url: where clients reach the service, e.g. `http://127.0.0.1:8774/identity`.
        catalog: the cloud's services.
        passwords: of the users `admin` and `kilonova`, for the first start.
        region: the one region's id.
        token_life_s: how long a token is good for.
        hash_cost: what hashing a password costs.
        policy: rules that differ from `policy.RULES`.
    """
    store = IdentityStore(database)
    secret = await database.write(prepare_txn, runtime.token(48))
    context = Context(
        store=store,
        authority=Authority(store, secret, runtime),
        passwords=Passwords(runtime, hash_cost),
        policy=Policy(RULES, policy),
        runtime=runtime,
        url=url.rstrip("/"),
        region=region,
        catalog=catalog,
        token_life_s=token_life_s,
    )
    await bootstrap(context, passwords)
    return StandaloneIdentity(context)


def _routes(context: Context) -> Sequence[Route]:
    catalog = Catalog(context)
    resources = (
        Versions(context),
        Tokens(context, catalog),
        catalog,
        Projects(context),
        Users(context),
        ApplicationCredentials(context),
        Roles(context),
        RoleAssignments(context),
        Domains(context),
        Groups(context),
    )
    return [route for resource in resources for route in resource.routes()]
