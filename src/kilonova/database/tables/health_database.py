"""The health database: what happened around a project, and what was decided about it.

| table | written by |
|---|---|
| events, facts, cursors, reads | `health/store.py` |
| transitions, decisions | `health/ci/journal.py` |
"""

from sqlalchemy import Column, Double, Index, Integer, LargeBinary, MetaData, String, Table, UniqueConstraint

metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("source", String(255), nullable=False),
    Column("key", String(255), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("at", Double, nullable=False),  # when it happened
    Column("received_at", Double, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # as it came, compressed
    UniqueConstraint("source", "key"),
)

facts = Table(
    "facts",
    metadata,
    Column("key", String(64), primary_key=True),  # a digest of all but the time
    Column("kind", String(64), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("at", Double, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("facts_subject", "subject", "at"),
    Index("facts_kind", "kind", "at"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("position", String(1024), nullable=False),
    Column("updated_at", Double, nullable=False),
)

reads = Table(
    "reads",
    metadata,
    Column("source", String(255), primary_key=True),
    Column("until", Double, nullable=False),  # everything that happened before is known
)

transitions = Table(
    "transitions",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("system", String(255), nullable=False),
    Column("at", Double, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("transitions_system", "system", "seq"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("subject", String(255), nullable=False),
    Column("at", Double, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("decisions_subject", "subject", "seq"),
)
