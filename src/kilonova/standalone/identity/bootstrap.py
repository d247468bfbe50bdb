"""What a new cloud begins with: roles, projects, the first users and who may do what."""

from collections.abc import Mapping

from kilonova.database.database import Transaction
from kilonova.standalone.identity import tables
from kilonova.standalone.identity.context import Context
from kilonova.standalone.identity.store import find_txn, insert_txn, put_txn, rows_txn
from kilonova.standalone.identity.tables import DEFAULT_DOMAIN_ID

ROLES = {
    "admin": "May do everything",
    "manager": "May do what members may, and more within a project",
    "member": "May use a project's resources and change them",
    "reader": "May see a project's resources",
    "service": "For the cloud's own services",
}
IMPLIED = (("admin", "manager"), ("manager", "member"), ("member", "reader"))
PROJECTS = {
    "admin": "For the administrators of the cloud",
    "kilonova": "The first project",
    "service": "For the cloud's own services",
}
ASSIGNMENTS = (
    ("admin", "project", "admin", "admin"),
    ("admin", "project", "kilonova", "admin"),
    ("admin", "domain", DEFAULT_DOMAIN_ID, "admin"),
    ("admin", "system", "all", "admin"),
    ("kilonova", "project", "kilonova", "member"),
)
"""User, kind of target, target, role. A user's first project is the default one."""


async def bootstrap(context: Context, passwords: Mapping[str, str]) -> None:
    """Fill an empty identity database, in one transaction; a database that has roles already is left as it is.

    `passwords` holds one for each of the users `admin` and `kilonova`.
    """
    if await context.store.read(rows_txn, tables.roles):
        return
    hashes = {name: await context.passwords.hash(password) for name, password in sorted(passwords.items())}
    names = (
        [("role", name) for name in ROLES]
        + [("project", name) for name in PROJECTS]
        + [("user", name) for name in hashes]
    )
    await context.store.change(_bootstrap_txn, {key: context.new_id() for key in names}, hashes)


def _bootstrap_txn(tx: Transaction, ids: Mapping[tuple[str, str], str], hashes: Mapping[str, str]) -> None:
    if find_txn(tx, tables.roles, name="admin") is not None:
        return
    for name, description in ROLES.items():
        insert_txn(tx, tables.roles, "role", {"id": ids["role", name], "name": name, "description": description})
    for prior, implied in IMPLIED:
        put_txn(tx, tables.implied_roles, {"prior_id": ids["role", prior], "implied_id": ids["role", implied]})
    for name, description in PROJECTS.items():
        project = {"name": name, "description": description, "enabled": True, "tags": [], "extra": {}}
        insert_txn(tx, tables.projects, "project", {"id": ids["project", name], **project})
    for name, hashed in hashes.items():
        insert_txn(tx, tables.users, "user", _user(ids["user", name], name, hashed, ids["project", name]))
    for user, scope, target, role in ASSIGNMENTS:
        target_id = ids["project", target] if scope == "project" else target
        row = {"user_id": ids["user", user], "scope": scope, "target_id": target_id, "role_id": ids["role", role]}
        put_txn(tx, tables.assignments, row)


def _user(id_: str, name: str, hashed: str, project_id: str) -> dict[str, object]:
    return {
        "id": id_,
        "name": name,
        "description": "",
        "email": None,
        "enabled": True,
        "default_project_id": project_id,
        "password_hash": hashed,
        "token_series": 0,
        "extra": {},
    }
