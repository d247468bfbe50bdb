"""Server groups: which servers should share a host, and which must not."""

import msgspec

from kilonova.kernel.ids import ProjectId, ServerId, UserId


class ServerGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One group (Compute API, "Server groups")."""

    id: str
    name: str
    project_id: ProjectId
    user_id: UserId
    policy: str
    """`affinity`, `anti-affinity`, `soft-affinity`, `soft-anti-affinity`."""
    max_server_per_host: int | None = None
    """For `anti-affinity`; one when None."""
    members: tuple[ServerId, ...] = ()
    created_at: float
