"""Key pairs in the API database. The only module that writes them."""

from collections.abc import Mapping

from sqlalchemy import bindparam, delete, func, insert, select

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.database.tables.api_database import keypairs
from kilonova.kernel.errors import Conflict, NotFound, OverLimit
from kilonova.kernel.ids import ProjectId, UserId
from kilonova.notifications import payloads
from kilonova.notifications.outbox import API, note_txn
from kilonova.objects.keypair import Keypair
from kilonova.operations.quota import limits_txn

_FIND = Prepared(select(keypairs).where(keypairs.c.user_id == bindparam("user"), keypairs.c.name == bindparam("name_")))


class KeypairNotFound(NotFound):
    """Keypair {name} not found for user {user_id}"""

    code = "keypair-not-found"


class KeypairExists(Conflict):
    """Key pair '{name}' already exists."""

    code = "keypair-exists"


class TooManyKeypairs(OverLimit):
    """Quota exceeded, too many key pairs."""

    code = "too-many-keypairs"


def keypair_find_txn(tx: Transaction, user_id: UserId, name: str) -> Keypair:
    """One key pair. Raises `KeypairNotFound`."""
    row = tx.execute(_FIND, {"user": user_id, "name_": name}).mappings().first()
    if row is None:
        raise KeypairNotFound(name=name, user_id=user_id)
    return Keypair(**row)


def keypairs_txn(tx: Transaction, user_id: UserId) -> list[Keypair]:
    """The key pairs of a user, ordered by name."""
    rows = tx.execute(select(keypairs).where(keypairs.c.user_id == user_id).order_by(keypairs.c.name))
    return [Keypair(**row) for row in rows.mappings()]


def keypair_add_txn(
    tx: Transaction, keypair: Keypair, project_id: ProjectId, defaults: Mapping[str, int], *, generated: bool = False
) -> Keypair:
    """Add a key pair, `generated` here or brought along; it gets its id. Raises `KeypairExists`, `TooManyKeypairs`."""
    limit = limits_txn(tx, defaults, project_id, keypair.user_id)["key_pairs"]
    of_user = keypairs.c.user_id == keypair.user_id
    if 0 <= limit <= tx.execute(select(func.count()).where(of_user)).scalar_one():
        raise TooManyKeypairs
    if tx.execute(select(keypairs.c.id).where(of_user, keypairs.c.name == keypair.name)).first():
        raise KeypairExists(name=keypair.name)
    values = {
        "user_id": keypair.user_id,
        "name": keypair.name,
        "type": keypair.type,
        "public_key": keypair.public_key,
        "fingerprint": keypair.fingerprint,
        "created_at": keypair.created_at,
    }
    tx.execute(insert(keypairs), values)
    added = keypair_find_txn(tx, keypair.user_id, keypair.name)
    _tell_txn(tx, "create" if generated else "import", added)
    return added


def keypair_remove_txn(tx: Transaction, user_id: UserId, name: str) -> None:
    """Remove a key pair; guests that have it keep it. Raises `KeypairNotFound`."""
    one = (keypairs.c.user_id == user_id) & (keypairs.c.name == name)
    keypair = keypair_find_txn(tx, user_id, name)
    tx.execute(delete(keypairs).where(one))
    _tell_txn(tx, "delete", keypair)


def _tell_txn(tx: Transaction, what: str, keypair: Keypair) -> None:
    """`keypair.create`, `.import` and `.delete`: that it begins and that it is done, which is one moment here."""
    if tx.tells:
        for phase in ("start", "end"):
            note_txn(tx, f"keypair.{what}.{phase}", API, payloads.keypair(keypair))
