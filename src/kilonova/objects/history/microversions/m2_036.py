"""2.36: What only proxied other services is gone, and with it the network quotas and limits."""

from kilonova.kernel.versions import Change, refused, withdrawn

_NETWORK = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")

CHANGES: tuple[Change, ...] = (
    withdrawn("quota_set", *_NETWORK, name="quota-network-gone", why="Quota sets have no network quotas any more."),
    refused(
        "quota_set_update",
        *_NETWORK,
        name="quota-update-network-gone",
        why="Network quotas can't be set here any more.",
    ),
    withdrawn(
        "limits",
        "maxSecurityGroups",
        "maxSecurityGroupRules",
        "maxTotalFloatingIps",
        "totalFloatingIpsUsed",
        "totalSecurityGroupsUsed",
        name="limits-network-gone",
        why="Limits say nothing of networks any more.",
    ),
)
