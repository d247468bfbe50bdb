"""2.50: Quota classes know server groups and no network quotas."""

from kilonova.kernel.versions import Change, added, refused, withdrawn

_NETWORK = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")

CHANGES: tuple[Change, ...] = (
    added(
        "quota_class_set",
        "server_groups",
        "server_group_members",
        name="quota-class-server-groups",
        why="Quota classes show the quotas of server groups.",
    ),
    withdrawn(
        "quota_class_set",
        *_NETWORK,
        name="quota-class-network-gone",
        why="Quota classes have no network quotas any more.",
    ),
    refused(
        "quota_class_set_update",
        *_NETWORK,
        name="quota-class-update-network-gone",
        why="Network quotas can't be set for a class any more.",
    ),
)
