"""What Kilonova asks of the identity service."""

from typing import Protocol

from kilonova.objects.caller import Caller


class Identity(Protocol):
    """Tokens and projects. The built-in service and Keystone's client implement it; one contract suite judges both."""

    async def caller(self, token: str) -> Caller:
        """The owner of a valid token.

        Raises `NotAuthenticated` for a forged, expired or revoked token, `Unavailable` when that can't be said now.
        """

    async def project_exists(self, project_id: str) -> bool:
        """Whether there is such a project. Raises `Unavailable`."""

    async def close(self) -> None:
        """Let go of connections."""
