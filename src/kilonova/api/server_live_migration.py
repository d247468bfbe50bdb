"""Live migration (API reference, "Servers - run an administrative action", `os-migrateLive`)."""

from typing import ClassVar, Self

import msgspec
from msgspec import UNSET, UnsetType

from kilonova.api import body
from kilonova.api.compute import Compute
from kilonova.api.fields import HostField, Truth
from kilonova.api.query import ComputeRoute
from kilonova.api.server_access import find_to_change
from kilonova.api.server_moves import destination
from kilonova.api.shapes import NO_BODY, Takes, either, words
from kilonova.kernel.schemas import Schema
from kilonova.operations.plans import live_migration
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body

_RULE = "os_compute_api:os-migrate-server:migrate_live"
AUTO = "auto"


class BlockMigration(str):
    """Whether the disks are copied: true, false, or `auto` for what is needed. Kept as one of these words."""

    __slots__ = ()
    schema: ClassVar[Schema] = either(Truth.schema, words(AUTO))

    @classmethod
    def read(cls, value: object) -> Self:
        """Check `value`. Raises ValueError."""
        return cls(AUTO) if value == AUTO else cls("true" if Truth.read(value) else "false")

    @property
    def asked(self) -> bool | None:
        """What was asked; None for what is needed."""
        return None if self == AUTO else self == "true"


class MigrateLive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands under `os-migrateLive`."""

    host: HostField | None
    block_migration: BlockMigration
    disk_over_commit: Truth | UnsetType = UNSET
    """Until 2.24; nothing is overcommitted."""
    force: Truth | UnsetType = UNSET
    """2.30 to 2.67; nothing is forced: the named host has to have room."""


class ServerLiveMigration:
    """The handler."""

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def migrate(self, call: Call) -> Reply:
        """Move a running server to another host: the one that was named, or the one that suits it."""
        wish = body.read(call, "os-migrateLive", MigrateLive, "migrate_live")
        if not call.version.has("migrate-live-auto"):
            _check_old(wish)
        server = await find_to_change(call, self._compute, _RULE)
        if wish.host is not None:
            target = {"project_id": server.project_id, "user_id": server.user_id}
            self._compute.policy.enforce(_RULE + ":host", call.user, target)
        to = await destination(self._compute, server, wish.host)
        params = {"to": to, "block": wish.block_migration.asked}
        await self._compute.servers.act(call.user, call.request_id, server.id, live_migration.KIND, params)
        return Reply()


def _check_old(wish: MigrateLive) -> None:
    """What had to be said before 2.25."""
    if wish.disk_over_commit is UNSET:
        raise body.BadField(field="disk_over_commit", value="", reason="'disk_over_commit' is a required property")
    if wish.block_migration == AUTO:
        raise body.BadField(field="block_migration", value=AUTO, reason="It must be true or false")


def routes(compute: Compute) -> list[ComputeRoute]:
    """The route of the action."""
    handler = ServerLiveMigration(compute).migrate
    path = "/servers/{id}/action"
    return [
        ComputeRoute(
            method="POST",
            path=path,
            action="os-migrateLive",
            handler=handler,
            body=Body.JSON,
            success=202,
            takes=Takes(kind=MigrateLive, under="os-migrateLive", shape="migrate_live"),
            gives=NO_BODY,
        )
    ]
