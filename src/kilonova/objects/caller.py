"""Who asks: what a valid token says about its owner."""

from collections.abc import Mapping
from functools import cached_property

import msgspec

from kilonova.kernel.ids import ProjectId, UserId


class Caller(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The owner of a token, in the scope of that token."""

    user_id: UserId
    user_name: str
    user_domain_id: str = "default"
    user_domain_name: str = "Default"
    project_id: ProjectId | None = None
    """None for an unscoped or system-scoped token."""
    project_name: str | None = None
    project_domain_id: str | None = None
    project_domain_name: str | None = None
    system_scope: bool = False
    roles: tuple[str, ...] = ()
    """Role names, implied roles included."""
    expires_at: float = 0.0
    """Seconds since the epoch."""
    token: str = ""
    """The token itself, to act in the caller's name at other services. Never stored, never logged."""

    @cached_property
    def credentials(self) -> Mapping[str, object]:
        """What policy rules may ask of the caller, by oslo.policy's names; roles in small letters, as rules compare them."""
        return {
            "user_id": self.user_id,
            "project_id": self.project_id,
            "roles": tuple(role.lower() for role in self.roles),
            "user_domain_id": self.user_domain_id,
            "project_domain_id": self.project_domain_id,
            "system_scope": "all" if self.system_scope else None,
            "is_admin": "admin" in self.roles,
        }
