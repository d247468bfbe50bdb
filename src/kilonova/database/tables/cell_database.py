"""A cell's database: its hosts, its servers, and what is being done to them. cell0 has the same tables and no hosts.

| table | written by |
|---|---|
| servers, server_tags, server_metadata | `operations/store.py` |
| hosts, agents | `cells/hosts.py` |
| operations, operation_events | `engine/store.py` |
"""

from sqlalchemy import Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, String, Table, Text

from kilonova.database.tables import operation_tables

metadata = MetaData()

servers = Table(
    "servers",
    metadata,
    # `body` is objects.server.Server as JSON; every other column is its index, written together with it.
    Column("id", String(36), primary_key=True),
    Column("version", Integer, nullable=False),  # counts the writes of this row: each is a compare-and-swap
    Column("body", LargeBinary, nullable=False),
    Column("project_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("hostname", String(255), nullable=False),
    Column("host", String(255)),
    Column("flavor_id", String(255), nullable=False),
    Column("image_id", String(36)),
    Column("key_name", String(255)),
    Column("availability_zone", String(255)),
    Column("description", Text),
    Column("reservation_id", String(64), nullable=False),
    Column("launch_index", Integer, nullable=False),
    Column("vm_state", String(32), nullable=False),
    Column("task_state", String(32)),
    Column("power_state", Integer, nullable=False),
    Column("locked", Boolean, nullable=False),
    Column("config_drive", Boolean, nullable=False),
    Column("current_op", String(36)),
    Column("generation", Integer, nullable=False),
    Column("addresses", Text, nullable=False),  # every fixed address between spaces: ` 10.0.0.4 10.0.0.5 `
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("launched_at", Double),
    Column("deleted_at", Double),
    Index("servers_project", "project_id", "created_at", "id"),
    Index("servers_created", "created_at", "id"),
    Index("servers_host", "host"),
    Index("servers_updated", "updated_at"),
)

server_tags = Table(
    "server_tags",
    metadata,
    Column("server_id", String(36), primary_key=True),
    Column("tag", String(60), primary_key=True),
    Index("server_tags_tag", "tag"),
)

server_metadata = Table(
    "server_metadata",
    metadata,
    Column("server_id", String(36), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("value", String(255), nullable=False),
)

agents = Table(
    "agents",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("heartbeat_at", Double, nullable=False),
)

hosts = Table(
    "hosts",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("service_uuid", String(36), nullable=False, unique=True),
    Column("agent", String(255), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("forced_down", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("description", LargeBinary, nullable=False),  # objects.guest.HostDescription as JSON
    Index("hosts_agent", "agent"),
)

operations = operation_tables.operations(metadata)
operation_events = operation_tables.operation_events(metadata)
