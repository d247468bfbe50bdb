"""The rules of the identity service, by Keystone's names: administrators change things, everybody sees their own."""

from kilonova.web.policy import Rule

_ADMIN = "rule:admin_required"
_READER = "rule:admin_required or (role:reader and system_scope:all)"
_OWNER = "user_id:%(target.user.id)s"
_SUBJECT = "user_id:%(target.token.user_id)s"


def _rules(check: str, *names: str) -> tuple[Rule, ...]:
    return tuple(Rule(f"identity:{name}", check) for name in names)


RULES = (
    Rule("admin_required", "role:admin", "Administrators of the cloud"),
    *_rules(f"{_READER} or role:service or {_SUBJECT}", "validate_token"),
    *_rules(f"{_ADMIN} or {_SUBJECT}", "revoke_token"),
    *_rules(_ADMIN, "create_project", "update_project", "delete_project"),
    *_rules(_READER, "list_projects"),
    *_rules(f"{_READER} or project_id:%(target.project.id)s", "get_project"),
    *_rules(_ADMIN, "create_user", "update_user", "delete_user"),
    *_rules(_READER, "list_users"),
    *_rules(f"{_READER} or {_OWNER}", "get_user", "list_user_projects", "list_groups_for_user"),
    *_rules(_READER, "list_groups"),
    *_rules(_ADMIN, "create_role", "update_role", "delete_role", "create_implied_role", "delete_implied_role"),
    *_rules(_READER, "list_roles", "get_role"),
    *_rules(_READER, "list_implied_roles", "get_implied_role", "list_role_inference_rules"),
    *_rules(_ADMIN, "create_grant", "revoke_grant"),
    *_rules(_ADMIN, "create_system_grant_for_user", "revoke_system_grant_for_user"),
    *_rules(_READER, "check_grant", "list_grants"),
    *_rules(_READER, "check_system_grant_for_user", "list_system_grants_for_user", "list_role_assignments"),
    *_rules(_OWNER, "create_application_credential"),
    *_rules(f"{_ADMIN} or {_OWNER}", "delete_application_credential"),
    *_rules(f"{_READER} or {_OWNER}", "list_application_credentials", "get_application_credential"),
    *_rules(f"{_READER} or {_OWNER}", "list_access_rules"),
    *_rules(_READER, "list_domains"),
    *_rules(f"{_READER} or project_domain_id:%(target.domain.id)s", "get_domain"),
    *_rules(_READER, "list_services", "get_service", "list_endpoints", "get_endpoint"),
    *_rules("", "list_regions", "get_region"),
)
"""Every rule and its default; `policy.yaml` may override any."""
