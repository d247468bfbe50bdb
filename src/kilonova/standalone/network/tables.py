"""The network database. Each table is written only by the module of `store/` that its comment names.

What must never happen is a constraint here: two ports with one address or one MAC on a network, two default groups of a
project, a rule twice, a network or subnet that vanishes under its ports.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData()


def _standard() -> tuple[Column[Any], ...]:
    """What every resource has."""
    return (
        Column("id", String(36), primary_key=True),
        Column("project_id", String(255), nullable=False, index=True),
        Column("description", String(255), nullable=False),
        Column("revision_number", Integer, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("updated_at", Double, nullable=False),
    )


# store/networks.py
networks = Table(
    "networks",
    metadata,
    *_standard(),
    Column("name", String(255), nullable=False),
    Column("admin_state_up", Boolean, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("external", Boolean, nullable=False),
    Column("mtu", Integer, nullable=False),
    Column("port_security_enabled", Boolean, nullable=False),
)

# store/subnets.py; `next_address` also store/addresses.py, when it allocates
subnets = Table(
    "subnets",
    metadata,
    *_standard(),
    Column("name", String(255), nullable=False),
    Column("network_id", ForeignKey("networks.id"), nullable=False, index=True),
    Column("ip_version", Integer, nullable=False),
    Column("cidr", String(64), nullable=False),
    Column("gateway_ip", String(64)),
    Column("allocation_pools", JSON, nullable=False),  # [{"start", "end"}], ascending
    Column("enable_dhcp", Boolean, nullable=False),
    Column("dns_nameservers", JSON, nullable=False),
    Column("host_routes", JSON, nullable=False),
    Column("ipv6_ra_mode", String(32)),
    Column("ipv6_address_mode", String(32)),
    Column("next_address", String(32), nullable=False),  # where the search for a free address begins, as `position`
)

# store/ports.py
ports = Table(
    "ports",
    metadata,
    *_standard(),
    Column("name", String(255), nullable=False),
    Column("network_id", ForeignKey("networks.id"), nullable=False, index=True),
    Column("mac_address", String(17), nullable=False),
    Column("admin_state_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("device_id", String(255), nullable=False, index=True),
    Column("device_owner", String(255), nullable=False),
    Column("host_id", String(255), nullable=False),
    Column("vnic_type", String(64), nullable=False),
    Column("vif_type", String(64), nullable=False),
    Column("profile", JSON, nullable=False),
    Column("port_security_enabled", Boolean, nullable=False),
    Column("allowed_address_pairs", JSON, nullable=False),
    UniqueConstraint("network_id", "mac_address", name="ports_mac"),
)

# store/addresses.py
allocations = Table(
    "allocations",
    metadata,
    Column("subnet_id", ForeignKey("subnets.id"), nullable=False),
    Column(
        "position", String(32), nullable=False
    ),  # the address in hex, of fixed width, so that text order is its order
    Column("address", String(64), nullable=False),
    Column("port_id", ForeignKey("ports.id", ondelete="CASCADE"), nullable=False, index=True),
    PrimaryKeyConstraint("subnet_id", "position"),
    Index("allocations_address", "address"),
)

# store/security_groups.py
security_groups = Table(
    "security_groups",
    metadata,
    *_standard(),
    Column("name", String(255), nullable=False),
    Column("is_default", Boolean),  # true, or null for any other group: so the constraint counts only the default one
    UniqueConstraint("project_id", "is_default", name="security_groups_default"),
)

# store/security_group_rules.py
security_group_rules = Table(
    "security_group_rules",
    metadata,
    *_standard(),
    Column("security_group_id", ForeignKey("security_groups.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("direction", String(8), nullable=False),
    Column("ethertype", String(4), nullable=False),
    Column("protocol", String(40)),
    Column("port_range_min", Integer),
    Column("port_range_max", Integer),
    Column("remote_ip_prefix", String(64)),
    Column("remote_group_id", ForeignKey("security_groups.id", ondelete="CASCADE"), index=True),
    Column(
        "meaning", String(255), nullable=False
    ),  # what the rule allows, normalised; the same thing twice is a conflict
    UniqueConstraint("security_group_id", "meaning", name="security_group_rules_once"),
)

# store/ports.py
port_security_groups = Table(
    "port_security_groups",
    metadata,
    Column("port_id", ForeignKey("ports.id", ondelete="CASCADE"), nullable=False),
    Column("security_group_id", ForeignKey("security_groups.id"), nullable=False, index=True),
    PrimaryKeyConstraint("port_id", "security_group_id"),
)

# store/tags.py
tags = Table(
    "tags",
    metadata,
    Column("resource_id", String(36), nullable=False),
    Column("tag", String(255), nullable=False, index=True),
    PrimaryKeyConstraint("resource_id", "tag"),
)

# store/quotas.py
quotas = Table(
    "quotas",
    metadata,
    Column("project_id", String(255), nullable=False),
    Column("resource", String(64), nullable=False),
    Column("limit", Integer, nullable=False),
    PrimaryKeyConstraint("project_id", "resource"),
)
