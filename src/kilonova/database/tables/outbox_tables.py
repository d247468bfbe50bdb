"""The outbox: what is to be told to others, in the order in which it happened; in the API database and in every cell's.

Written by `notifications/outbox.py`.
"""

from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, MetaData, String, Table


def outbox(metadata: MetaData) -> Table:
    """The table, declared in `metadata`."""
    return Table(
        "outbox",
        metadata,
        Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
        Column("event_type", String(64), nullable=False),
        Column("priority", String(8), nullable=False),
        Column("publisher_id", String(300), nullable=False),
        Column("payload", LargeBinary, nullable=False),  # JSON
        Column("at", Double, nullable=False),
        sqlite_autoincrement=True,  # a number is never used again, because messages are known by it
    )
