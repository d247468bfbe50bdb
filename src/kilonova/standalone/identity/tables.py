"""The tables of the identity database. `store.py` writes them all."""

from sqlalchemy import JSON, Boolean, Column, Double, Index, Integer, MetaData, String, Table

metadata = MetaData()

DEFAULT_DOMAIN_ID = "default"
"""The one domain, which needs no table."""
DEFAULT_DOMAIN_NAME = "Default"

projects = Table(
    "projects",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("description", String(4096), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("extra", JSON, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("description", String(4096), nullable=False),
    Column("email", String(255)),
    Column("enabled", Boolean, nullable=False),
    Column("default_project_id", String(64)),
    Column("password_hash", String(255)),
    # Tokens carry the series they were issued in; raising it revokes them all, whatever the clocks say.
    Column("token_series", Integer, nullable=False),
    Column("extra", JSON, nullable=False),
)

roles = Table(
    "roles",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("description", String(4096), nullable=False),
)

implied_roles = Table(
    "implied_roles",
    metadata,
    Column("prior_id", String(64), primary_key=True),
    Column("implied_id", String(64), primary_key=True),
)

assignments = Table(
    "assignments",
    metadata,
    Column("user_id", String(64), primary_key=True),
    # `project`, `domain` or `system`; the target of `system` is `all`.
    Column("scope", String(16), primary_key=True),
    Column("target_id", String(64), primary_key=True),
    Column("role_id", String(64), primary_key=True),
    Index("assignments_by_target", "scope", "target_id"),
)

application_credentials = Table(
    "application_credentials",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("project_id", String(64), nullable=False),
    Column("secret_hash", String(255), nullable=False),
    Column("description", String(4096), nullable=False),
    Column("expires_at", Double),
    Column("unrestricted", Boolean, nullable=False),
    Column("role_ids", JSON, nullable=False),
    Index("application_credentials_by_name", "user_id", "name", unique=True),
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("audit_id", String(64), primary_key=True),
    Column("expires_at", Double, nullable=False, index=True),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("secret", String(128), nullable=False),
)

generation = Table(
    "generation",
    metadata,
    Column("id", Integer, primary_key=True),
    # Raised by every change, so that what was derived from the database is known to be fresh by reading one number.
    Column("value", Integer, nullable=False),
)
