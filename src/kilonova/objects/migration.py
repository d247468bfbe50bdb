"""Migrations: the records of moves, and how they are asked for."""

import msgspec

from kilonova.kernel.ids import HostName, ProjectId, ServerId, UserId

MIGRATION_OPEN = ("accepted", "preparing", "running", "pre-migrating", "migrating", "post-migrating", "finished")
"""The statuses of moves that are not settled: something of the server is on both hosts, or may be."""


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One move of a server (Compute API, "Migrations"). Times are seconds since the epoch."""

    id: int
    """Counted in its cell."""
    uuid: str
    """The id of its operation."""
    server_id: ServerId
    project_id: ProjectId
    user_id: UserId
    kind: str
    """`resize`, `migration`, `live-migration` or `evacuation`."""
    status: str
    source: HostName | None
    dest: HostName | None
    old_flavor_id: str
    new_flavor_id: str
    created_at: float
    updated_at: float


class MigrationQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which migrations are asked for; None asks for all."""

    host: str | None = None
    """Source or destination."""
    source: str | None = None
    status: str | None = None
    kind: str | None = None
    server_id: str | None = None
    project_id: str | None = None
    user_id: str | None = None
    changes_since: float | None = None
    changes_before: float | None = None
    marker: str | None = None
    limit: int = 1000
