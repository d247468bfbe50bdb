"""Quotas: limits by project and user, and a ledger that is counted in the transaction that inserts."""

from typing import Protocol

import msgspec

from kilonova.kernel.ids import ProjectId, UserId

DEFAULTS = {
    "instances": 10,
    "cores": 20,
    "ram": 50 * 1024,
    "key_pairs": 100,
    "metadata_items": 128,
    "server_groups": 10,
    "server_group_members": 10,
    "injected_files": 5,
    "injected_file_content_bytes": 10 * 1024,
    "injected_file_path_bytes": 255,
}
"""Nova's resources and defaults (Compute configuration reference, `[quota]`); -1 is unlimited."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a project, or a user in it, has."""

    instances: int
    cores: int
    ram: int
    """MB."""
    server_groups: int


class Quota(Protocol):
    """Limits and usage."""

    async def limits(self, project_id: ProjectId, user_id: UserId | None = None) -> dict[str, int]:
        """The limits in force by resource: the user's, else the project's, else the default class's, else DEFAULTS."""

    async def class_limits(self, name: str) -> dict[str, int]:
        """The limits of a quota class; only `default` counts."""

    async def usage(self, project_id: ProjectId, user_id: UserId | None = None) -> Usage:
        """What is used now."""

    async def set_limits(self, project_id: ProjectId, values: dict[str, int], user_id: UserId | None = None) -> None:
        """Set some limits of a project, or of a user in it."""

    async def set_class_limits(self, name: str, values: dict[str, int]) -> None:
        """Set some limits of a quota class."""

    async def reset(self, project_id: ProjectId, user_id: UserId | None = None) -> None:
        """Forget the limits of a project, or of a user in it, so that the defaults hold."""
