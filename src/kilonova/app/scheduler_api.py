"""The scheduler for administrators: what `kilonova scheduler` asks. Part of the service at `paths.OWN`."""

from typing import Any

import msgspec

from kilonova.api.flavor_store import FlavorNotFound, flavor_find_txn, flavors_txn
from kilonova.api.server_group_store import group_find_txn
from kilonova.api.server_image import kept
from kilonova.app.operations_api import check_admin
from kilonova.kernel.errors import Invalid
from kilonova.kernel.ids import HostName, ProjectId, ServerId, UserId
from kilonova.objects.flavor import Flavor
from kilonova.objects.server import Server
from kilonova.operations.work import Parts
from kilonova.scheduler.hosts import HostState
from kilonova.web.call import Call, Reply
from kilonova.web.routing import Body, Route

HOSTS_MAX = 100
"""Most hosts that an explanation names."""
CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")
"""What a fleet is shown with."""


class BadWish(Invalid):
    """{reason}"""

    code = "bad-wish"


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server that nobody asked for yet."""

    flavor: str
    """Id or name."""
    image: str | None = None
    """Id; None for one that boots from a volume."""
    group: str | None = None
    zone: str | None = None
    host: HostName | None = None
    hints: dict[str, list[str]] = {}
    project: ProjectId | None = None
    """Whose it would be; the caller's when None."""


class SchedulerApi:
    """The handlers."""

    def __init__(self, work: Parts) -> None:
        """Ask the scheduler of `work`."""
        self._work = work

    def routes(self) -> list[Route]:
        """POST /scheduler/explain and GET /scheduler/fleet."""
        return [
            Route(method="POST", path="/scheduler/explain", handler=self.explain, body=Body.JSON),
            Route(method="GET", path="/scheduler/fleet", handler=self.fleet),
        ]

    async def explain(self, call: Call) -> Reply:
        """Which hosts may have a server, and what removed the others. Nothing is claimed."""
        check_admin(call, "scheduler:explain")
        try:
            wish = msgspec.convert(call.body, Wish)
        except msgspec.ValidationError as error:
            raise BadWish(reason=str(error)) from error
        server = await self._server(call, wish)
        request, hosts = await self._work.snapshots.take(server)
        found = await self._work.scheduler.explain(request, hosts)
        doc = {
            "total": found.total,
            "removed": [msgspec.to_builtins(reason) for reason in found.reasons],
            "fitting": len(found.hosts),
            "hosts": [{"name": host.name, "zone": host.zone} for host in found.hosts[:HOSTS_MAX]],
        }
        return Reply({"explanation": doc})

    async def fleet(self, call: Call) -> Reply:
        """Every host as the scheduler sees it, with what it can hold and what of it is used."""
        check_admin(call, "scheduler:fleet")
        hosts = await self._work.snapshots.hosts()
        room = {name: await self._work.placement.room(name) for name in CLASSES}
        return Reply({"hosts": [_host(host, room) for host in hosts]})

    async def _server(self, call: Call, wish: Wish) -> Server:
        """The server as it would be accepted. Raises `NotFound` for what isn't there."""
        runtime = self._work.runtime
        image = None if wish.image is None else await self._work.images.image(wish.image)
        if wish.group is not None:
            await self._work.database.read(group_find_txn, wish.group)
        now = runtime.now()
        return Server(
            id=ServerId(runtime.uuid()),
            project_id=wish.project or ProjectId(str(call.user.project_id)),
            user_id=UserId(call.user.user_id),
            name="",
            hostname="",
            flavor=await self._flavor(wish.flavor),
            image_id=None if image is None else image.id,
            image_properties={} if image is None else kept(image),
            pinned_availability_zone=wish.zone,
            requested_host=wish.host,
            group_id=wish.group,
            hints=wish.hints,
            created_at=now,
            updated_at=now,
        )

    async def _flavor(self, named: str) -> Flavor:
        database = self._work.database
        try:
            return await database.read(flavor_find_txn, named, None)
        except FlavorNotFound:
            every = await database.read(flavors_txn, public=None, project_id=None)
            for record in every:
                if record.flavor.name == named:
                    return record.flavor
            raise


def _host(host: HostState, room: dict[str, Any]) -> dict[str, Any]:
    """A host for a replay: what it is, and (capacity, used) by class."""
    of_classes = {name: providers[host.uuid] for name, providers in room.items() if host.uuid in providers}
    return {
        "name": host.name,
        "zone": host.zone,
        "up": host.up,
        "enabled": host.enabled,
        "aggregates": [msgspec.to_builtins(msgspec.structs.replace(one, hosts=())) for one in host.aggregates],
        "room": of_classes,
    }
