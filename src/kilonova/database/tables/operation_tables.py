"""Operations, their log, and what is counted of them: the same tables in the API database and in every cell's.

`operations` and `operation_events` are written by `engine/store.py`, `counters` by `engine/counters.py`.
"""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, MetaData, String, Table, Text


def operations(metadata: MetaData) -> Table:
    """The table of operations, declared in `metadata`."""
    return Table(
        "operations",
        metadata,
        Column("id", String(36), primary_key=True),
        Column("server_id", String(36), nullable=False),
        Column("project_id", String(255), nullable=False),
        Column("user_id", String(255), nullable=False),
        Column("request_id", String(64), nullable=False),
        Column("kind", String(32), nullable=False),
        Column("params", LargeBinary, nullable=False),
        Column("state", String(16), nullable=False),
        Column("live", Integer),  # 1 while live, null after: keeps the index below as short as the work at hand
        Column("step", String(64), nullable=False),
        Column("host", String(255)),
        Column("owner", String(64)),
        Column("lease_until", Double, nullable=False),
        Column("epoch", Integer, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("not_before", Double, nullable=False),
        Column("deadline", Double, nullable=False),
        Column("outputs", LargeBinary, nullable=False),
        Column("error", Text),
        Column("created_at", Double, nullable=False),
        Column("updated_at", Double, nullable=False),
        Index("operations_live", "live", "host", "not_before"),
        Index("operations_server", "server_id", "created_at"),
    )


def operation_events(metadata: MetaData) -> Table:
    """The append-only log of operations, declared in `metadata`."""
    return Table(
        "operation_events",
        metadata,
        Column("operation_id", String(36), primary_key=True),
        Column("seq", Integer, primary_key=True),
        Column("step", String(64), nullable=False),
        Column("result", String(16), nullable=False),
        Column("epoch", Integer, nullable=False),
        Column("host", String(255)),
        Column("at", Double, nullable=False),
        Column("message", Text),
    )


def counters(metadata: MetaData) -> Table:
    """What has happened how often since the database was made, declared in `metadata`."""
    return Table(
        "counters",
        metadata,
        Column("name", String(64), primary_key=True),
        Column("value", BigInteger, nullable=False),
    )
