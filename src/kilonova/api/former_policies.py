"""Names that rules had before: a policy file that still overrides one overrides the rules that took its place (oslo.policy)."""

_PARTS = {
    "os_compute_api:os-attach-interfaces": "list show create delete",
    "os_compute_api:os-baremetal-nodes": "list show",
    "os_compute_api:os-deferred-delete": "restore force",
    "os_compute_api:os-floating-ips": "add remove list create show delete",
    "os_compute_api:os-hosts": "list show update reboot shutdown start",
    "os_compute_api:os-hypervisors": "list list-detail statistics show uptime search servers",
    "os_compute_api:os-instance-actions": "list show",
    "os_compute_api:os-instance-usage-audit-log": "list show",
    "os_compute_api:os-migrate-server:migrate_live": "host",
    "os_compute_api:os-migrations:index": "all_projects host",
    "os_compute_api:os-multinic": "add remove",
    "os_compute_api:os-security-groups": "get show create update delete rule:create rule:delete list add remove",
    "os_compute_api:os-server-password": "show clear",
    "os_compute_api:os-services": "list update delete",
    "os_compute_api:os-tenant-networks": "list show",
    "os_compute_api:os-volumes": (
        "list create detail show delete snapshots:list snapshots:create snapshots:detail snapshots:show snapshots:delete"
    ),
    "os_compute_api:servers:migrations:index": "host",
}
"""Where a rule was split, or a part of it became a rule of its own: the last words of the new names."""

FORMER: dict[str, tuple[str, ...]] = {
    **{name: tuple(f"{name}:{part}" for part in parts.split()) for name, parts in _PARTS.items()},
    "os_compute_api:os-flavor-extra-specs:index": ("os_compute_api:servers:show:flavor-extra-specs",),
    "os_compute_api:os-networks:view": ("os_compute_api:os-networks:list", "os_compute_api:os-networks:show"),
    "os_compute_api:os-rescue": ("os_compute_api:os-unrescue",),
    "os_compute_api:os-used-limits": ("os_compute_api:limits:other_project",),
}
"""Former name: the rules that take its override unless they have their own. Some former names are rules still."""
