"""Who may do what: Neutron's rule names and defaults (Neutron policy reference)."""

from collections.abc import Iterator

from kilonova.web.policy import Rule

_ADMIN = "rule:admin_only"
_MEMBER = "rule:admin_only or (role:member and project_id:%(project_id)s)"
_READER = "rule:admin_only or (role:reader and project_id:%(project_id)s)"
_NETWORK_OWNER = "rule:admin_only or (role:member and project_id:%(network:project_id)s)"
_NETWORK_USER = f"{_NETWORK_OWNER} or rule:network_shared"

_BASE = (
    Rule("context_is_admin", "role:admin", "Who is an administrator"),
    Rule("admin_only", "rule:context_is_admin", "Administrators only"),
    Rule("shared", "'True':%(shared)s", "A network that every project may use"),
    Rule("external", "'True':%(external)s", "A network that leads outside"),
    Rule("network_shared", "'True':%(network:shared)s", "Something on a network that every project may use"),
)

_CHECKS = {
    "create_network": _MEMBER,
    "create_network:shared": _ADMIN,
    "create_network:router:external": _ADMIN,
    "create_network:provider:network_type": _ADMIN,
    "create_network:provider:physical_network": _ADMIN,
    "create_network:provider:segmentation_id": _ADMIN,
    "get_network": f"{_READER} or rule:shared or rule:external",
    "get_network:provider:network_type": _ADMIN,
    "get_network:provider:physical_network": _ADMIN,
    "get_network:provider:segmentation_id": _ADMIN,
    "update_network": _MEMBER,
    "update_network:shared": _ADMIN,
    "update_network:router:external": _ADMIN,
    "delete_network": _MEMBER,
    "create_subnet": _NETWORK_OWNER,
    "get_subnet": f"{_READER} or rule:network_shared",
    "update_subnet": f"{_MEMBER} or ({_NETWORK_OWNER})",
    "delete_subnet": f"{_MEMBER} or ({_NETWORK_OWNER})",
    "create_port": _MEMBER,
    "create_port:device_owner": _NETWORK_OWNER,
    "create_port:mac_address": _NETWORK_OWNER,
    "create_port:fixed_ips": _NETWORK_USER,
    "create_port:fixed_ips:ip_address": _NETWORK_OWNER,
    "create_port:port_security_enabled": _NETWORK_OWNER,
    "create_port:allowed_address_pairs": _NETWORK_OWNER,
    "create_port:binding:host_id": _ADMIN,
    "create_port:binding:profile": _ADMIN,
    "get_port": _READER,
    "get_port:binding:host_id": _ADMIN,
    "get_port:binding:profile": _ADMIN,
    "get_port:binding:vif_type": _ADMIN,
    "get_port:binding:vif_details": _ADMIN,
    "update_port": _MEMBER,
    "update_port:device_owner": _NETWORK_OWNER,
    "update_port:mac_address": _ADMIN,
    "update_port:fixed_ips": _NETWORK_USER,
    "update_port:fixed_ips:ip_address": _NETWORK_OWNER,
    "update_port:port_security_enabled": _NETWORK_OWNER,
    "update_port:allowed_address_pairs": _NETWORK_OWNER,
    "update_port:binding:host_id": _ADMIN,
    "update_port:binding:profile": _ADMIN,
    "delete_port": f"{_MEMBER} or ({_NETWORK_OWNER})",
    "create_security_group": _MEMBER,
    "get_security_group": _READER,
    "update_security_group": _MEMBER,
    "delete_security_group": _MEMBER,
    "create_security_group_rule": _MEMBER,
    "get_security_group_rule": _READER,
    "delete_security_group_rule": _MEMBER,
    "get_quota": _READER,
    "update_quota": _ADMIN,
    "delete_quota": _ADMIN,
}


def rules() -> Iterator[Rule]:
    """Every rule of the service."""
    yield from _BASE
    for name, check in _CHECKS.items():
        yield Rule(name, check)
