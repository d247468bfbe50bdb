"""The placement database. `placement/store.py` writes all of it.

Standard resource classes and traits are the libraries'; only custom ones have rows. Names and UUIDs are the keys: a row
can be read without looking anything up. Times are seconds since the epoch.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, MetaData, String, Table, false

metadata = MetaData()

providers = Table(
    "providers",
    metadata,
    Column("uuid", String(36), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("generation", Integer, nullable=False),
    Column("parent_uuid", String(36)),
    Column("root_uuid", String(36), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index("providers_root", "root_uuid"),
    Index("providers_parent", "parent_uuid"),
    sqlite_with_rowid=False,
)

provider_changes = Table(
    "provider_changes",
    metadata,
    # A row for each provider that a transaction changed in any way, written in that transaction. Copies in memory are kept
    # fresh by the rows after the last one they saw; rows that nobody may still want are forgotten.
    Column("seq", Integer, primary_key=True, autoincrement=True),  # never given twice
    Column("provider_uuid", String(36), nullable=False),
    Column("changed_at", Double, nullable=False),
    Column("only_used", Boolean, nullable=False, server_default=false()),  # nothing changed but what of it is used
    Index("provider_changes_at", "changed_at"),
    sqlite_autoincrement=True,
)

inventories = Table(
    "inventories",
    metadata,
    # The class comes first: a query reads one class of all providers, and they lie side by side.
    Column("resource_class", String(255), primary_key=True),
    Column("provider_uuid", String(36), primary_key=True),
    Column("total", Integer, nullable=False),
    Column("reserved", Integer, nullable=False),
    Column("min_unit", Integer, nullable=False),
    Column("max_unit", Integer, nullable=False),
    Column("step_size", Integer, nullable=False),
    Column("allocation_ratio", Double, nullable=False),
    Column("capacity", BigInteger, nullable=False),  # int((total - reserved) * allocation_ratio)
    Column("used", BigInteger, nullable=False),  # the sum of the allocations; a claim is refused by a condition on it
    Column("updated_at", Double, nullable=False),
    Index("inventories_provider", "provider_uuid"),
    sqlite_with_rowid=False,
)

resource_classes = Table(
    "resource_classes",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("created_at", Double, nullable=False),
)

traits = Table(
    "traits",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("created_at", Double, nullable=False),
)

provider_traits = Table(
    "provider_traits",
    metadata,
    Column("trait", String(255), primary_key=True),
    Column("provider_uuid", String(36), primary_key=True),
    Column(
        "reported", Boolean, nullable=False
    ),  # by whoever reports the provider, who may take it back; else by people
    Index("provider_traits_provider", "provider_uuid"),
    sqlite_with_rowid=False,
)

provider_aggregates = Table(
    "provider_aggregates",
    metadata,
    Column("aggregate_uuid", String(36), primary_key=True),
    Column("provider_uuid", String(36), primary_key=True),
    Index("provider_aggregates_provider", "provider_uuid"),
    sqlite_with_rowid=False,
)

consumers = Table(
    "consumers",
    metadata,
    # A row outlives its allocations, so that a late claim with an older generation is refused.
    Column("uuid", String(36), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("project_id", String(255)),  # null only for one that was released before it ever claimed
    Column("user_id", String(255)),
    Column("consumer_type", String(255)),
    Column("set_id", String(64)),
    Column("set_slot", String(36)),
    Column("set_provider", String(36)),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index("consumers_project", "project_id", "user_id"),
    Index("consumers_set", "set_id"),
)

allocations = Table(
    "allocations",
    metadata,
    Column("consumer_uuid", String(36), primary_key=True),
    Column("provider_uuid", String(36), primary_key=True),
    Column("resource_class", String(255), primary_key=True),
    Column("used", Integer, nullable=False),
    Index("allocations_provider", "provider_uuid"),
    sqlite_with_rowid=False,
)

spread_slots = Table(
    "spread_slots",
    metadata,
    # A set that spreads has a slot for each provider it is on; one that stays together has the single slot ''.
    Column("set_id", String(64), primary_key=True),
    Column("slot", String(36), primary_key=True),
    Column("provider_uuid", String(36), nullable=False),
    Column("members", Integer, nullable=False),
    sqlite_with_rowid=False,
)
