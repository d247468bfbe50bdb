"""The policy rules of the Placement API and their defaults, by OpenStack's names."""

from kilonova.web.policy import Rule

ADMIN_OR_SERVICE = "role:admin or role:service"
ADMIN_OR_PROJECT_READER_OR_SERVICE = "role:admin or role:service or (role:reader and project_id:%(project_id)s)"

_GUARDED = (
    "resource_classes:list",
    "resource_classes:create",
    "resource_classes:show",
    "resource_classes:update",
    "resource_classes:delete",
    "resource_providers:list",
    "resource_providers:create",
    "resource_providers:show",
    "resource_providers:update",
    "resource_providers:delete",
    "resource_providers:inventories:list",
    "resource_providers:inventories:create",
    "resource_providers:inventories:show",
    "resource_providers:inventories:update",
    "resource_providers:inventories:delete",
    "resource_providers:usages",
    "resource_providers:aggregates:list",
    "resource_providers:aggregates:update",
    "resource_providers:allocations:list",
    "resource_providers:traits:list",
    "resource_providers:traits:update",
    "resource_providers:traits:delete",
    "allocations:manage",
    "allocations:list",
    "allocations:update",
    "allocations:delete",
    "allocation_candidates:list",
    "traits:list",
    "traits:show",
    "traits:update",
    "traits:delete",
)
"""Rules whose default is `ADMIN_OR_SERVICE`."""

RULES: tuple[Rule, ...] = (
    *(Rule(f"placement:{name}", ADMIN_OR_SERVICE) for name in _GUARDED),
    Rule("placement:reshaper:reshape", "role:service"),
    Rule("placement:usages", ADMIN_OR_PROJECT_READER_OR_SERVICE),
)
