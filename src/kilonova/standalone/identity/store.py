"""The only writer of the identity database, and the few ways to read it."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Select, Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from kilonova.database.database import Database, Transaction
from kilonova.database.prepared import Prepared
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.standalone.identity import tables

P = ParamSpec("P")
T = TypeVar("T")
Row = Mapping[str, Any]

LIST_MAX = 10_000
"""Most rows of one list."""

_GENERATION = Prepared(select(tables.generation.c.value))


class Missing(NotFound):
    """Could not find {kind}: {id}."""

    code = "not-found"


class Duplicate(Conflict):
    """Conflict occurred attempting to store {kind} - Duplicate entry found with name {name}."""

    code = "duplicate"


class IdentityStore:
    """The identity database: reads as they are, changes with the generation raised."""

    def __init__(self, database: Database) -> None:
        """Keep what is in `database`, whose tables are there already."""
        self._database = database

    async def read(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run point reads on one snapshot."""
        return await self._database.read(work, *args, **kwargs)

    async def scan(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run reads of whole lists on one snapshot."""
        return await self._database.scan(work, *args, **kwargs)

    async def change(self, work: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one of the writing functions below in a transaction of its own."""

        def work_txn(tx: Transaction) -> T:
            tx.execute(update(tables.generation).values(value=tables.generation.c.value + 1))
            return work(tx, *args, **kwargs)

        return await self._database.write(work_txn)


def generation_txn(tx: Transaction) -> int:
    """How many changes there have been."""
    return int(tx.execute(_GENERATION).scalar_one())


def find_txn(tx: Transaction, /, table: Table, **equal: object) -> Row | None:
    """The row whose columns equal what is given, which must be a key; None without one."""
    row = tx.execute(_select(table, tuple(equal)), equal).mappings().one_or_none()
    return None if row is None else dict(row)


def get_txn(tx: Transaction, table: Table, kind: str, id_: str) -> Row:
    """The row with this id. Raises `Missing`."""
    row = find_txn(tx, table, id=id_)
    if row is None:
        raise Missing(kind=kind, id=id_)
    return row


def rows_txn(tx: Transaction, /, table: Table, **equal: object) -> Sequence[Row]:
    """The rows whose columns equal what is given, in a lasting order."""
    return [dict(row) for row in tx.execute(_select(table, tuple(equal)), equal).mappings()]


def insert_txn(tx: Transaction, table: Table, kind: str, row: Row) -> None:
    """Add a project, user, role or application credential. Raises `Duplicate`."""
    try:
        tx.execute(insert(table).values(**row))
    except IntegrityError as error:
        raise Duplicate(kind=kind, name=row["name"]) from error


def update_txn(tx: Transaction, table: Table, kind: str, id_: str, values: Row, extra: Row | None = None) -> Row:
    """Change columns of a row, and properties in its `extra`; the row as it is then. Raises `Missing`, `Duplicate`."""
    if extra:
        values = {**values, "extra": {**get_txn(tx, table, kind, id_)["extra"], **extra}}
    if values:
        try:
            tx.execute(update(table).where(table.c.id == id_).values(**values))
        except IntegrityError as error:
            raise Duplicate(kind=kind, name=values["name"]) from error
    return get_txn(tx, table, kind, id_)


def revoke_user_tokens_txn(tx: Transaction, user_id: str) -> None:
    """Make every token of a user worthless, for good."""
    users = tables.users
    tx.execute(update(users).where(users.c.id == user_id).values(token_series=users.c.token_series + 1))


def revoke_token_txn(tx: Transaction, audit_id: str, expires_at: float) -> None:
    """Remember until its end that a token is revoked; forget those that have ended."""
    revoked = tables.revoked_tokens
    tx.execute(delete(revoked).where(revoked.c.expires_at < tx.now))
    if find_txn(tx, revoked, audit_id=audit_id) is None:
        tx.execute(insert(revoked).values(audit_id=audit_id, expires_at=expires_at))


def delete_project_txn(tx: Transaction, project_id: str) -> None:
    """Delete a project with what hangs on it. Raises `Missing`."""
    get_txn(tx, tables.projects, "project", project_id)
    assignments, credentials, users = tables.assignments, tables.application_credentials, tables.users
    tx.execute(delete(assignments).where(assignments.c.scope == "project", assignments.c.target_id == project_id))
    tx.execute(delete(credentials).where(credentials.c.project_id == project_id))
    tx.execute(update(users).where(users.c.default_project_id == project_id).values(default_project_id=None))
    tx.execute(delete(tables.projects).where(tables.projects.c.id == project_id))


def delete_user_txn(tx: Transaction, user_id: str) -> None:
    """Delete a user with what hangs on it. Raises `Missing`."""
    get_txn(tx, tables.users, "user", user_id)
    tx.execute(delete(tables.assignments).where(tables.assignments.c.user_id == user_id))
    tx.execute(delete(tables.application_credentials).where(tables.application_credentials.c.user_id == user_id))
    tx.execute(delete(tables.users).where(tables.users.c.id == user_id))


def delete_role_txn(tx: Transaction, role_id: str) -> None:
    """Delete a role with its assignments and implications. Raises `Missing`."""
    get_txn(tx, tables.roles, "role", role_id)
    implied = tables.implied_roles
    tx.execute(delete(tables.assignments).where(tables.assignments.c.role_id == role_id))
    tx.execute(delete(implied).where((implied.c.prior_id == role_id) | (implied.c.implied_id == role_id)))
    tx.execute(delete(tables.roles).where(tables.roles.c.id == role_id))


def delete_application_credential_txn(tx: Transaction, credential_id: str) -> None:
    """Delete an application credential; its tokens end with it."""
    table = tables.application_credentials
    tx.execute(delete(table).where(table.c.id == credential_id))


def put_txn(tx: Transaction, table: Table, row: Row) -> None:
    """Add a row of keys only (an assignment, an implied role) unless it is there."""
    if find_txn(tx, table, **row) is None:
        tx.execute(insert(table).values(**row))


def remove_txn(tx: Transaction, table: Table, row: Row) -> bool:
    """Remove a row of keys only; whether it was there."""
    if find_txn(tx, table, **row) is None:
        return False
    tx.execute(delete(table).where(*(table.c[name] == value for name, value in row.items())))
    return True


def prepare_txn(tx: Transaction, secret: str) -> str:
    """Lay down the generation and the signing key on first use; the key."""
    if find_txn(tx, tables.generation) is None:
        tx.execute(insert(tables.generation).values(id=1, value=0))
    if find_txn(tx, tables.signing_key) is None:
        tx.execute(insert(tables.signing_key).values(id=1, secret=secret))
    return str(tx.execute(select(tables.signing_key.c.secret)).scalar_one())


@cache
def _select(table: Table, names: tuple[str, ...]) -> Select[Any]:
    """The rows whose columns `names` equal the parameters of the same names, in a lasting order; built once each."""
    order = [table.c.name] if "name" in table.c else list(table.primary_key)
    return select(table).where(*(table.c[name] == bindparam(name) for name in names)).order_by(*order).limit(LIST_MAX)
