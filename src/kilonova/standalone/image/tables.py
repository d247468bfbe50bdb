"""The tables of the image database. `store.py` writes them all."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, Index, Integer, MetaData, String, Table

metadata = MetaData()

images = Table(
    "images",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(255)),
    # queued, saving, active, deactivated
    Column("status", String(16), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("disk_format", String(16)),
    Column("container_format", String(16)),
    Column("size", BigInteger),
    Column("virtual_size", BigInteger),
    # Hex digests of the content: MD5 for old clients, SHA-512 to rely on.
    Column("checksum", String(32)),
    Column("os_hash_value", String(128)),
    Column("min_disk", Integer, nullable=False),
    Column("min_ram", Integer, nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("os_hidden", Boolean, nullable=False),
    Column("properties", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index("images_by_owner", "owner"),
    Index("images_by_visibility", "visibility"),
)

tags = Table(
    "image_tags",
    metadata,
    Column("image_id", String(36), primary_key=True),
    Column("tag", String(255), primary_key=True),
)

members = Table(
    "image_members",
    metadata,
    Column("image_id", String(36), primary_key=True),
    # The project that the image is shared with.
    Column("member", String(255), primary_key=True),
    # pending, accepted, rejected
    Column("status", String(16), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index("image_members_by_member", "member"),
)
