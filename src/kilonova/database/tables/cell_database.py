"""A cell's database: its hosts, its servers, and what is being done to them. cell0 has the same tables and no hosts.

| table | written by |
|---|---|
| servers, server_tags, server_metadata | `operations/store.py` |
| hosts | `cells/hosts.py` |
| agents | `cells/agents.py` |
| tombstones, settlements | `operations/store.py` |
| missing_guests, unknown_guests | `operations/sightings.py` |
| migrations | `operations/migrations.py` |
| operations, operation_events | `engine/store.py` |
| counters | `engine/counters.py` |
| outbox | `notifications/outbox.py` |
"""

from sqlalchemy import Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, String, Table, Text, false

from kilonova.database.tables import operation_tables, outbox_tables, server_tables

metadata = MetaData()

servers = server_tables.servers(metadata)
server_tags = server_tables.server_tags(metadata)
server_metadata = server_tables.server_metadata(metadata)

agents = Table(
    "agents",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("heartbeat_at", Double, nullable=False),
    Column("wire", String(16), nullable=False),  # the level of objects.history.wire to speak at with it
    Column("epoch", Integer, nullable=False, server_default="0"),  # of the session that speaks in its name
    Column("session", String(36), nullable=False, server_default=""),  # empty for a program that knows no epochs
    Column("forgot_at", Double),  # when a host of its was deleted: only a beat after that makes it new
)

hosts = Table(
    "hosts",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("service_uuid", String(36), nullable=False, unique=True),
    Column("agent", String(255), nullable=False),
    Column("epoch", Integer, nullable=False),  # of the session that serves it: goes up with each that takes it
    Column("quarantined_at", Double),  # when it came back; null once it has settled
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("forced_down", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("description", LargeBinary, nullable=False),  # objects.guest.HostDescription as JSON
    Index("hosts_agent", "agent"),
    Index("hosts_updated", "updated_at"),
    Index("hosts_quarantined", "quarantined_at"),
)

tombstones = Table(
    "tombstones",  # what a host owes: a guest to destroy when it returns; a host that owes gets no new servers
    metadata,
    Column("host", String(255), primary_key=True),
    Column("server_id", String(36), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("may_run", Boolean, nullable=False, server_default=false()),  # whether the guest may run there now
)

missing_guests = Table(
    "missing_guests",  # servers at rest whose hosts don't show their guests: see operations.sightings
    metadata,
    Column("server_id", String(36), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("since", Double, nullable=False),
)

unknown_guests = Table(
    "unknown_guests",  # guests that no record knows
    metadata,
    Column("host", String(255), primary_key=True),
    Column("server_id", String(36), primary_key=True),
    Column("cell_id", String(36), nullable=False),  # of the cell that it was made for; empty where it doesn't say
    Column("first_seen_at", Double, nullable=False),
)

settlements = Table(
    "settlements",  # servers gone from this cell or resized, whose ledger and map rows the global level has to set
    metadata,
    Column("server_id", String(36), primary_key=True),
    Column("created_at", Double, nullable=False),  # no sooner than this
)

migrations = Table(
    "migrations",  # what users are shown of moves: see operations.migrations
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("uuid", String(36), nullable=False, unique=True),  # the operation's id
    Column("server_id", String(36), nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("user_id", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("status", String(32), nullable=False),
    Column("source", String(255)),
    Column("dest", String(255)),
    Column("old_flavor_id", String(255), nullable=False),
    Column("new_flavor_id", String(255), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index("migrations_server", "server_id"),
)

operations = operation_tables.operations(metadata)
operation_events = operation_tables.operation_events(metadata)
counters = operation_tables.counters(metadata)
outbox = outbox_tables.outbox(metadata)
