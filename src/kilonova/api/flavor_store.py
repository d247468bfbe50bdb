"""Flavors in the API database, and which projects may use those that are not public. The only module that writes them."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec
from sqlalchemy import bindparam, delete, insert, or_, select, update

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.database.tables.api_database import flavor_access, flavors
from kilonova.kernel.errors import Conflict, NotFound
from kilonova.kernel.ids import ProjectId
from kilonova.notifications import payloads
from kilonova.notifications.outbox import API, note_txn
from kilonova.objects.flavor import Flavor

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Flavor).decode

_GIVEN = select(flavor_access.c.flavor_id).where(flavor_access.c.project_id == bindparam("project"))
_VISIBLE = or_(flavors.c.public.is_(True), flavors.c.id.in_(_GIVEN))
_ONE = select(flavors.c.body).where(flavors.c.id == bindparam("id_"))
_FIND, _FIND_VISIBLE = Prepared(_ONE), Prepared(_ONE.where(_VISIBLE))
_LIST = (
    select(flavors.c.body, flavors.c.created_at, flavors.c.updated_at)
    .where(flavors.c.memory_mb >= bindparam("min_ram"), flavors.c.disk_gb >= bindparam("min_disk"))
    .order_by(flavors.c.id)
)
_LISTS = {None: _LIST, True: _LIST.where(_VISIBLE), False: _LIST.where(flavors.c.public.is_(False))}


class FlavorNotFound(NotFound):
    """Flavor {id} could not be found."""

    code = "flavor-not-found"


class FlavorIdTaken(Conflict):
    """Flavor with ID {id} already exists."""

    code = "flavor-id-taken"


class FlavorNameTaken(Conflict):
    """Flavor with name {name} already exists."""

    code = "flavor-name-taken"


class AccessExists(Conflict):
    """Flavor access already exists for flavor {flavor_id} and project {project_id} combination."""

    code = "flavor-access-exists"


class AccessNotFound(NotFound):
    """Flavor access not found for flavor {flavor_id} and project {project_id} combination."""

    code = "flavor-access-not-found"


class FlavorRecord(NamedTuple):
    """A flavor and the times of its row."""

    flavor: Flavor
    created_at: float
    updated_at: float | None


def flavor_find_txn(tx: Transaction, flavor_id: str, seen_by: ProjectId | None) -> Flavor:
    """One flavor, as far as `seen_by` may see it; None sees all. Raises `FlavorNotFound`."""
    query = _FIND if seen_by is None else _FIND_VISIBLE
    row = tx.execute(query, {"id_": flavor_id, "project": seen_by}).first()
    if row is None:
        raise FlavorNotFound(id=flavor_id)
    return _decode(row.body)


def flavors_txn(
    tx: Transaction, *, public: bool | None, project_id: ProjectId | None, min_ram: int = 0, min_disk: int = 0
) -> list[FlavorRecord]:
    """Flavors in order of their ids. `public` True adds those that `project_id` has access to; None is any."""
    values = {"project": project_id, "min_ram": min_ram, "min_disk": min_disk}
    return [
        FlavorRecord(_decode(row.body), row.created_at, row.updated_at) for row in tx.execute(_LISTS[public], values)
    ]


def flavor_add_txn(tx: Transaction, flavor: Flavor) -> None:
    """Add a flavor. Raises `FlavorIdTaken`, `FlavorNameTaken`."""
    if tx.execute(select(flavors.c.id).where(flavors.c.id == flavor.id)).first():
        raise FlavorIdTaken(id=flavor.id)
    if tx.execute(select(flavors.c.id).where(flavors.c.name == flavor.name)).first():
        raise FlavorNameTaken(name=flavor.name)
    tx.execute(insert(flavors), {**_row(flavor), "created_at": tx.now})
    _tell_txn(tx, "create", flavor)


def flavor_change_txn(tx: Transaction, flavor_id: str, change: Callable[[Flavor], Flavor]) -> Flavor:
    """Replace a flavor by `change` of it. Raises `FlavorNotFound`, and what `change` raises."""
    row = tx.execute(select(flavors.c.body).where(flavors.c.id == flavor_id)).first()
    if row is None:
        raise FlavorNotFound(id=flavor_id)
    changed = change(_decode(row.body))
    tx.execute(update(flavors).where(flavors.c.id == flavor_id).values(**_row(changed), updated_at=tx.now))
    _tell_txn(tx, "update", changed)
    return changed


def flavor_remove_txn(tx: Transaction, flavor_id: str) -> None:
    """Remove a flavor; servers keep the one they were made with. Raises `FlavorNotFound`."""
    flavor = flavor_find_txn(tx, flavor_id, None)
    tx.execute(delete(flavors).where(flavors.c.id == flavor_id))
    _tell_txn(tx, "delete", flavor)
    tx.execute(delete(flavor_access).where(flavor_access.c.flavor_id == flavor_id))


def access_txn(tx: Transaction, flavor_id: str) -> list[ProjectId]:
    """The projects that may use a flavor though it is not public, in order."""
    of_flavor = select(flavor_access.c.project_id).where(flavor_access.c.flavor_id == flavor_id)
    return [ProjectId(row.project_id) for row in tx.execute(of_flavor.order_by(flavor_access.c.project_id))]


def access_add_txn(tx: Transaction, flavor_id: str, project_id: ProjectId) -> list[ProjectId]:
    """Let a project use a flavor; all projects that may. Raises `AccessExists`."""
    projects = access_txn(tx, flavor_id)
    if project_id in projects:
        raise AccessExists(flavor_id=flavor_id, project_id=project_id)
    tx.execute(insert(flavor_access), {"flavor_id": flavor_id, "project_id": project_id})
    _tell_txn(tx, "update", flavor_find_txn(tx, flavor_id, None))
    return sorted([*projects, project_id])


def access_remove_txn(tx: Transaction, flavor_id: str, project_id: ProjectId) -> list[ProjectId]:
    """Take that back; all projects that still may. Raises `AccessNotFound`."""
    one = (flavor_access.c.flavor_id == flavor_id) & (flavor_access.c.project_id == project_id)
    if tx.execute(delete(flavor_access).where(one)).rowcount == 0:
        raise AccessNotFound(flavor_id=flavor_id, project_id=project_id)
    _tell_txn(tx, "update", flavor_find_txn(tx, flavor_id, None))
    return access_txn(tx, flavor_id)


def _tell_txn(tx: Transaction, what: str, flavor: Flavor) -> None:
    """`flavor.create`, `.update` and `.delete`."""
    if tx.tells:
        projects = None if flavor.public else access_txn(tx, flavor.id)
        note_txn(tx, f"flavor.{what}", API, payloads.flavor(flavor, projects))


def _row(flavor: Flavor) -> dict[str, object]:
    return {
        "id": flavor.id,
        "name": flavor.name,
        "memory_mb": flavor.memory_mb,
        "disk_gb": flavor.disk_gb,
        "public": flavor.public,
        "disabled": flavor.disabled,
        "body": _encode(flavor),
    }
