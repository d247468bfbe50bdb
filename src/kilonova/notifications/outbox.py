"""The only module that writes outboxes."""

from collections.abc import Mapping
from uuid import UUID, uuid5

import msgspec
from sqlalchemy import MetaData, bindparam, delete, func, insert, select

from kilonova.database.database import Transaction
from kilonova.database.prepared import Prepared
from kilonova.database.tables import outbox_tables

# The same table stands in the API database and in every cell's: statements made from this one run in each.
_outbox = outbox_tables.outbox(MetaData())

MESSAGES = UUID("5f0f4d0a-6d0e-5c0b-9d1d-2f8f7c1c6a11")
"""The namespace of message ids."""
API = "nova-api:kilonova"
"""The publisher of what the API did by itself."""
INFO, ERROR = "INFO", "ERROR"

_insert = Prepared(insert(_outbox))
_due = Prepared(select(_outbox).order_by(_outbox.c.seq).limit(bindparam("most")))
_sent = Prepared(delete(_outbox).where(_outbox.c.seq <= bindparam("last")))
_ends = Prepared(select(func.min(_outbox.c.seq).label("first"), func.max(_outbox.c.seq).label("last")))

Payload = Mapping[str, object]


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an outbox."""

    seq: int
    event_type: str
    """E.g. `instance.create.end`."""
    priority: str
    publisher_id: str
    payload: msgspec.Raw
    at: float


def note_txn(tx: Transaction, event_type: str, publisher_id: str, payload: Payload, priority: str = INFO) -> None:
    """Let others be told, once this transaction is kept. The caller looks at `tx.tells` first."""
    line = {
        "event_type": event_type,
        "priority": priority,
        "publisher_id": publisher_id,
        "payload": msgspec.json.encode(payload),
        "at": tx.now,
    }
    tx.execute(_insert, line)


def due_txn(tx: Transaction, most: int) -> list[Notification]:
    """The oldest lines, in order."""
    return [
        Notification(
            seq=row.seq,
            event_type=row.event_type,
            priority=row.priority,
            publisher_id=row.publisher_id,
            payload=msgspec.Raw(row.payload),
            at=row.at,
        )
        for row in tx.execute(_due, {"most": most})
    ]


def sent_txn(tx: Transaction, last: int) -> None:
    """Forget the lines up to `last`."""
    tx.execute(_sent, {"last": last})


def trim_txn(tx: Transaction, most: int) -> int:
    """Forget the oldest lines beyond `most`; about how many these were."""
    ends = tx.execute(_ends).first()
    if ends is None or ends.first is None or ends.last - ends.first < most:
        return 0
    sent_txn(tx, ends.last - most)
    return int(ends.last - most - ends.first + 1)


def message_id(database: str, line: Notification) -> str:
    """The id by which whoever is told twice knows it: the same each time."""
    return str(uuid5(MESSAGES, f"{database}:{line.seq}:{line.at!r}"))
