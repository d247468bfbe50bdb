"""The API database: what there is one of for the whole cloud.

| table | written by |
|---|---|
| cells, host_map, server_map | `cells` |
| flavors, flavor_access, keypairs, aggregates, server_groups, limits | `api/<resource>.py` |
| quota_ledger | `operations/quota.py` |
| findings | `operations/findings.py` |
| servers, server_tags, server_metadata: those that are nowhere yet | `operations/store.py` |
| operations, operation_events: their boots | `engine/store.py` |
| counters | `engine/counters.py` |
| outbox | `notifications/outbox.py` |
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from kilonova.database.tables import operation_tables, outbox_tables, server_tables

metadata = MetaData()

cells = Table(
    "cells",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("database_url", Text, nullable=False),
    Column("bus_url", Text, nullable=False),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created_at", Double, nullable=False),
)

host_map = Table(
    "host_map",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("cell_id", String(36), nullable=False),
    Index("host_map_cell", "cell_id"),
)

server_map = Table(
    "server_map",
    metadata,
    Column("server_id", String(36), primary_key=True),
    Column("project_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("cell_id", String(36)),  # null while the server is nowhere yet
    Column("operation_id", String(36), nullable=False),  # the boot, in this database until it is handed over
    Column("group_id", String(36)),
    Column("created_at", Double, nullable=False),
    Column("deleted_at", Double),
    # What is shown while the cell doesn't answer; null for servers made before there were these columns and gone since.
    Column("flavor", LargeBinary),  # objects.flavor.Flavor as JSON
    Column("image_id", String(36)),
    Column("availability_zone", String(255)),
    Index("server_map_project", "project_id", "cell_id"),
    Index("server_map_group", "group_id"),
)

quota_ledger = Table(
    "quota_ledger",
    metadata,
    Column("server_id", String(36), primary_key=True),
    Column("project_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("cores", Integer, nullable=False),
    Column("memory_mb", BigInteger, nullable=False),
    Index("quota_ledger_sums", "project_id", "user_id", "cores", "memory_mb"),  # usage is summed from it alone
)

flavors = Table(
    "flavors",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("memory_mb", Integer, nullable=False),
    Column("disk_gb", Integer, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double),
    Column("body", LargeBinary, nullable=False),  # objects.flavor.Flavor as JSON; the columns above are its index
)

flavor_access = Table(
    "flavor_access",
    metadata,
    Column("flavor_id", String(255), primary_key=True),
    Column("project_id", String(255), primary_key=True),
)

keypairs = Table(
    "keypairs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("user_id", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("type", String(16), nullable=False),
    Column("public_key", Text, nullable=False),
    Column("fingerprint", String(255), nullable=False),
    Column("created_at", Double, nullable=False),
    UniqueConstraint("user_id", "name"),
)

aggregates = Table(
    "aggregates",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),  # objects.aggregate.Aggregate as JSON
)

server_groups = Table(
    "server_groups",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("policy", String(32), nullable=False),
    Column("max_server_per_host", Integer),
    Column("created_at", Double, nullable=False),
    Index("server_groups_project", "project_id"),
)

limits = Table(
    "limits",
    metadata,
    Column("scope", String(300), primary_key=True),  # `class:default`, `project:ID`, `user:PROJECT:ID`
    Column("resource", String(64), primary_key=True),
    Column("value", Integer, nullable=False),
)

findings = Table(
    "findings",  # what the auditor has found without an owner
    metadata,
    Column("kind", String(16), primary_key=True),  # `consumer`, `port` or `guest`
    Column("id", String(64), primary_key=True),
    Column("server_id", String(36)),  # whose it was, where that is known
    Column("found_at", Double, nullable=False),
    Column("removed_at", Double),  # null while it is there
)

servers = server_tables.servers(metadata)
server_tags = server_tables.server_tags(metadata)
server_metadata = server_tables.server_metadata(metadata)
operations = operation_tables.operations(metadata)
operation_events = operation_tables.operation_events(metadata)
counters = operation_tables.counters(metadata)
outbox = outbox_tables.outbox(metadata)
