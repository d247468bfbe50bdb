"""Servers: the same tables in every cell's database, and in the API database for servers that are nowhere yet.

Written by `operations/store.py`.
"""

from sqlalchemy import Boolean, Column, Double, Index, Integer, LargeBinary, MetaData, String, Table, Text


def servers(metadata: MetaData) -> Table:
    """The table of servers, declared in `metadata`.

    `body` is objects.server.Server as JSON; every other column is its index, written together with it.
    """
    return Table(
        "servers",
        metadata,
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
        Column("access_ip_v4", String(39), nullable=False),
        Column("access_ip_v6", String(39), nullable=False),
        Column("root_device_name", String(255)),
        Column("progress", Integer, nullable=False),
        Column("locked_by", String(16)),
        Column("disk_config", String(16)),
        Column("kernel_id", String(36)),
        Column("ramdisk_id", String(36)),
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


def server_tags(metadata: MetaData) -> Table:
    """The tags of servers, to search by; declared in `metadata`."""
    return Table(
        "server_tags",
        metadata,
        Column("server_id", String(36), primary_key=True),
        Column("tag", String(60), primary_key=True),
        Index("server_tags_tag", "tag"),
    )


def server_metadata(metadata: MetaData) -> Table:
    """The metadata of servers, to search by; declared in `metadata`."""
    return Table(
        "server_metadata",
        metadata,
        Column("server_id", String(36), primary_key=True),
        Column("key", String(255), primary_key=True),
        Column("value", String(255), nullable=False),
    )
