"""What the API may do with servers: accept, read, change. Every method returns after its effect is durable."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from kilonova.cells import server_map
from kilonova.database.database import Database, Transaction
from kilonova.engine import store as operation_store
from kilonova.engine.plan import Plan
from kilonova.engine.runner import ended_topic, hosts_topic
from kilonova.kernel.errors import Conflict, Forbidden, Invalid, KilonovaError, NotFound, OverLimit, Unavailable
from kilonova.kernel.ids import CellId, HostName, OperationId, ServerId
from kilonova.network import ports
from kilonova.objects.boot import Boot
from kilonova.objects.caller import Caller
from kilonova.objects.diagnostics import Diagnostics
from kilonova.objects.external_event import ExternalEvent
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import GuestImage
from kilonova.objects.image import NewImage
from kilonova.objects.migration import Migration, MigrationQuery
from kilonova.objects.operation import Operation, OperationEvent
from kilonova.objects.server import Server
from kilonova.objects.server_query import DownServer, ServerPage, ServerQuery
from kilonova.operations import (
    accept,
    attaching,
    external_events,
    first_step,
    made_images,
    migrations,
    projection,
    quota,
    requests,
    schedule,
    store,
)
from kilonova.operations.accept import Acceptance, NotReady
from kilonova.operations.catalog import CELL_PLANS
from kilonova.operations.host_questions import HostQuestions
from kilonova.operations.listing import Listing
from kilonova.operations.plans import detach_interface, resize
from kilonova.operations.quota import Quota
from kilonova.operations.store import NoSuchServer
from kilonova.operations.usage import Usage, UsageQuery
from kilonova.operations.work import ASK_AGAIN_S, Parts, Work

T = TypeVar("T")

SEEN_MAX = 10_000
"""Most servers whose cell is remembered."""
LOOK_EVERY_S = 0.5
"""Whoever waits for an operation's end sees it this much later when the hint is lost."""

log = logging.getLogger(__name__)


class Servers:
    """Servers wherever they are: still nowhere, in cell0, in a cell."""

    def __init__(self, parts: Parts, quota: Quota, questions: HostQuestions) -> None:
        """Work with the parts of this process."""
        self._runtime = parts.runtime
        self._bus = parts.bus
        self._database = parts.database
        self._cells = parts.cells
        self._images = parts.images
        self._networks = parts.networks
        self._volumes = parts.volumes
        self._quota = quota
        self._questions = questions
        self._seen_in: dict[ServerId, CellId] = {}
        """Where servers were found last: a read looks there first, and asks the map when the server is not there."""
        self._listing = Listing(parts.database, parts.cells)
        self._usage = Usage(parts.database, parts.cells)

    async def boot(self, caller: Caller, request_id: str, boots: Sequence[Boot]) -> None:
        """Accept servers: ledger, map and operations in one transaction. Raises `OverLimit` and keeps nothing."""
        asked = [self._asked(caller, request_id) for _ in boots]
        await self._database.write(requests.boot_txn, self._quota.defaults, boots, asked)
        self._bus.hint(schedule.TOPIC)

    async def get(self, server_id: ServerId) -> Server:
        """One server. Raises `NotFound` (also for deleted ones), `Unavailable` when its cell does not answer."""
        cell_id = self._seen_in.get(server_id)
        if cell_id is not None:
            try:
                return await self._cells.get(cell_id).database.read(store.server_get_txn, server_id)
            except (NotFound, Unavailable):
                self._seen_in.pop(server_id, None)
        return await self._where(server_id, lambda database: database.read(store.server_get_txn, server_id))

    async def outline(self, server_id: ServerId) -> DownServer:
        """What is known of a server without asking its cell. Raises `NotFound`."""
        known = await self._database.read(server_map.outline_find_txn, server_id)
        if known is None:
            raise NoSuchServer(id=server_id)
        return known

    async def list(self, query: ServerQuery) -> ServerPage:
        """One page. Raises `Invalid` for a marker that names no server or an expression that can't be read."""
        return await self._listing.page(query)

    async def used(self, query: UsageQuery) -> Sequence[Server]:
        """A page of the servers that were used in a period. Raises `Invalid` for a marker that names no server."""
        return await self._usage.servers(query)

    async def update(self, server_id: ServerId, change: Callable[[Server], Server]) -> Server:
        """Change what users own (name, description, metadata, tags, lock, ...); `change` may run again after a race.

        Raises `NotFound`, and what `change` raises.
        """

        def write(database: Database) -> Awaitable[Server]:
            change_txn = requests.change_txn if database is self._database else _change_txn
            return database.write(change_txn, server_id, change)

        return await self._where(server_id, write)

    async def act(
        self, caller: Caller, request_id: str, server_id: ServerId, kind: str, params: Mapping[str, Any]
    ) -> Operation:
        """Accept an action: the operation is durable when this returns. Kinds: all of `operations.catalog`.

        Raises `NotFound`, and `Conflict` when the server's state or a live operation doesn't allow it.
        """
        plan, asked = CELL_PLANS[kind], self._asked(caller, request_id)

        async def accept_action(database: Database) -> Operation:
            in_database = accept.act_nowhere_txn if database is self._database else accept.act_txn
            return await database.write(in_database, server_id, plan, params, asked)

        return await self._where(server_id, accept_action, hint=True)

    async def act_and_wait(
        self,
        caller: Caller,
        request_id: str,
        server_id: ServerId,
        kind: str,
        params: Mapping[str, Any],
        *,
        within_s: float,
    ) -> Operation:
        """Accept an action and wait for its end, at most `within_s` seconds: the operation as it is then, perhaps live still.

        Raises what `act` raises.
        """
        give_up_at = self._runtime.monotonic() + within_s
        operation = await self.act(caller, request_id, server_id, kind, params)
        cell = self._cells.get(await self._cell_of(server_id))
        listener = self._bus.listen(ended_topic(cell.topic))
        try:
            while operation.state.live and (left_s := give_up_at - self._runtime.monotonic()) > 0:
                await listener.wait(min(left_s, LOOK_EVERY_S))
                found = await cell.database.read(operation_store.operation_get_txn, operation.id)
                operation = operation if found is None else found
        finally:
            listener.close()
        return operation

    async def resize(
        self, caller: Caller, request_id: str, server_id: ServerId, flavor: Flavor, *, may_stay: bool
    ) -> None:
        """Accept a resize; `may_stay` allows the server's own host. Raises what `act` raises, and `OverLimit`.

        The ledger is raised before there is an operation; whatever comes between, its cell lets it be set right soon after.
        """
        await self._where(server_id, lambda database: database.write(accept.resize_intent_txn, server_id))
        await self._database.write(quota.ledger_raise_txn, self._quota.defaults, server_id, flavor)
        params = {"flavor": msgspec.to_builtins(flavor), "may_stay": may_stay}
        await self.act(caller, request_id, server_id, resize.PLAN.kind, params)

    async def make_image(
        self,
        caller: Caller,
        request_id: str,
        server_id: ServerId,
        kind: str,
        image: NewImage,
        params: Mapping[str, Any],
    ) -> None:
        """Accept an action that makes an image: `snapshot`, `backup`, `shelve`. The image is declared when this returns.

        Raises what `act` raises, and `Forbidden`, `Invalid` or `OverLimit` when the caller may not have the image: the operation
        ends then. When the image service doesn't answer, the operation declares the image later.
        """
        plan, asked = CELL_PLANS[kind], self._asked(caller, request_id)
        params = {**params, made_images.NEW: msgspec.to_builtins(image)}
        await self._where(
            server_id, lambda database: database.write(accept.act_txn, server_id, plan, params, asked), hint=True
        )
        try:
            await self._images.image_create(image, caller)
        except Unavailable as error:
            log.warning("%s", error.message)
        except (Forbidden, Invalid, OverLimit) as error:
            await self._refuse(server_id, asked.operation_id, plan, error.message)
            raise

    async def give_volume(
        self,
        caller: Caller,
        request_id: str,
        server_id: ServerId,
        kind: str,
        volume_id: str,
        params: Mapping[str, Any],
    ) -> None:
        """Accept an action that gives a server a volume: `attach_volume`, `swap_volume`. It is reserved when this returns.

        Raises what `act` raises, and `NotFound` or `VolumeRefused` when the volume can't be had: the operation ends then. When
        the volume service doesn't answer, the operation reserves the volume later.
        """
        plan, asked = CELL_PLANS[kind], self._asked(caller, request_id)

        async def accept_action(database: Database) -> Database:
            if database is self._database:
                await database.write(accept.act_nowhere_txn, server_id, plan, params, asked)
            else:
                await database.write(accept.act_txn, server_id, plan, params, asked, wait_s=attaching.RESERVED_S)
            return database

        database = await self._where(server_id, accept_action)
        try:
            made = await self._volumes.attachment_create(volume_id, server_id)
        except Unavailable as error:
            log.warning("%s", error.message)
        except (Conflict, NotFound) as error:
            await self._refuse(server_id, asked.operation_id, plan, error.message)
            if isinstance(error, NotFound):
                raise
            raise attaching.VolumeRefused(reason=error.message) from error
        else:
            if await self._reserved(server_id, asked.operation_id, plan, made.id):
                return
            while not await attaching.unused_ended(self._volumes, database, server_id, volume_id):
                await self._runtime.sleep(ASK_AGAIN_S)

    async def _reserved(
        self, server_id: ServerId, operation_id: OperationId, plan: Plan[Work], attachment_id: str
    ) -> bool:
        """Let an operation go on whose volume is reserved; False when it has gone on already, perhaps without this attachment."""
        outputs = {"attachment_id": attachment_id}

        def write(database: Database) -> Awaitable[Operation | None]:
            return database.write(first_step.done_txn, operation_id, plan, outputs, projection.project_txn)

        try:
            return await self._where(server_id, write, hint=True) is not None
        except (Unavailable, NotFound) as error:
            log.warning("%s", error.message)
            return False

    async def _refuse(self, server_id: ServerId, operation_id: OperationId, plan: Plan[Work], reason: str) -> None:
        """End an operation whose image or volume is refused; if this can't be said now, it goes on and finds out."""

        def write(database: Database) -> Awaitable[Operation | None]:
            return database.write(first_step.refused_txn, operation_id, plan, reason, projection.project_txn)

        try:
            await self._where(server_id, write, hint=True)
        except (Unavailable, NotFound) as error:
            log.warning("%s", error.message)

    async def delete(self, caller: Caller, request_id: str, server_id: ServerId, *, softly: bool = False) -> None:
        """Accept a delete: it wins over whatever is being done; `softly` allows that it is taken back for a while.

        Raises `NotFound`, and `Conflict` for a soft delete of a server that is being restored.
        """
        in_cell = accept.soft_delete_txn if softly else accept.delete_txn
        asked = self._asked(caller, request_id)

        async def accept_delete(database: Database) -> None:
            if database is self._database:
                await database.write(requests.delete_txn, server_id, asked)
            else:
                await database.write(in_cell, server_id, asked)

        await self._where(server_id, accept_delete, hint=True)

    async def migrations(self, query: MigrationQuery) -> Sequence[Migration]:
        """A page of migrations, newest first. Raises `NotFound` for a marker that is not there."""
        return await migrations.Migrations(self._cells).list(query)

    async def migrations_under_way(self, server_id: ServerId) -> Sequence[Migration]:
        """The live migrations of a server that are under way. Raises `NotFound`."""
        return await self._where(
            server_id,
            lambda database: (
                _nothing() if database is self._database else database.read(migrations.of_server_txn, server_id)
            ),
        )

    async def migration_wish(self, server_id: ServerId, migration_id: int, wish: str, allowed: frozenset[str]) -> None:
        """Wish something about a live migration: see `migrations.wish_txn` for the meaning, and what is raised."""
        await self._where(
            server_id,
            lambda database: database.write(migrations.wish_txn, server_id, migration_id, wish, allowed),
        )

    async def external_event(self, caller: Caller, request_id: str, server: Server, event: ExternalEvent) -> None:
        """Act on what another service tells of a server. Raises `NotFound`, `Unavailable`."""
        port_id = await external_events.port_gone(self._networks, server, event)
        if port_id is not None:
            with contextlib.suppress(Conflict):  # what is being done to it meets the port's absence itself
                await self.act(caller, request_id, server.id, detach_interface.PLAN.kind, {"port_id": port_id})
        elif event.name in external_events.LOOKS_AT_CARDS:
            await self.addresses_refresh(server)

    async def addresses_refresh(self, server: Server) -> None:
        """Show the addresses that a server's ports have now. Raises `NotFound`, `Unavailable`."""
        changed = await ports.addresses_changed(self._networks, server)
        if changed:
            await self.update(server.id, lambda now: ports.with_addresses(now, changed))

    async def operations(self, server_id: ServerId) -> Sequence[Operation]:
        """Its operations, newest first; of deleted servers too. Raises `NotFound`."""
        return await self._where(
            server_id,
            lambda database: database.read(operation_store.operations_of_server_txn, server_id),
            deleted=True,
        )

    async def events(self, server_id: ServerId, operation: Operation) -> Sequence[OperationEvent]:
        """The log of one of its operations, in order."""
        return await self._where(
            server_id, lambda database: database.read(operation_store.events_of_txn, operation.id), deleted=True
        )

    async def console_output(self, server_id: ServerId, lines: int | None) -> str:
        """The end of the serial console's log. Raises `Conflict` while the server is on no host."""
        server = await self.get(server_id)
        if server.host is None:
            raise NotReady(server_id=server_id)
        return await self._questions.output(server, lines)

    async def diagnostics(self, server: Server) -> Diagnostics:
        """How a server's guest does just now. Raises `Conflict` while it is on no host, or the host can't tell."""
        if server.host is None:
            raise NotReady(server_id=server.id)
        return await self._questions.diagnostics(server)

    async def images_fetch(self, hosts: Sequence[HostName], images: Sequence[GuestImage]) -> None:
        """Have images at hosts before guests need them, one after the other; what fails is logged and left to the guests."""
        for host in hosts:
            for image in images:
                try:
                    await self._questions.image_fetch(host, image)
                except KilonovaError as error:
                    log.warning("image %s was not fetched by %s: %s", image.id, host, error.message)

    async def _where(
        self,
        server_id: ServerId,
        work: Callable[[Database], Awaitable[T]],
        *,
        deleted: bool = False,
        hint: bool = False,
    ) -> T:
        """Do `work` in the database that has the server: the API database while it is nowhere, else its cell's.

        The hand-over may happen between looking and doing: a server that is gone from the API database is looked up again.
        """
        mapping = await self._database.read(server_map.mapping_find_txn, server_id)
        if mapping is not None and mapping.cell_id is None and mapping.deleted_at is None:
            try:
                done = await work(self._database)
            except NoSuchServer:
                mapping = await self._database.read(server_map.mapping_find_txn, server_id)
            else:
                if hint:
                    self._bus.hint(schedule.TOPIC)
                return done
        if mapping is None or mapping.cell_id is None or (mapping.deleted_at is not None and not deleted):
            raise NoSuchServer(id=server_id)
        cell = self._cells.get(mapping.cell_id)
        done = await work(cell.database)
        if len(self._seen_in) >= SEEN_MAX:
            self._seen_in.clear()
        self._seen_in[server_id] = cell.id
        if hint:
            self._bus.hint(cell.topic)
            self._bus.hint(hosts_topic(cell.topic))
        return done

    async def _cell_of(self, server_id: ServerId) -> CellId:
        """The cell of a server that is in one. Raises `NotFound`."""
        mapping = await self._database.read(server_map.mapping_find_txn, server_id)
        if mapping is None or mapping.cell_id is None:
            raise NoSuchServer(id=server_id)
        return mapping.cell_id

    def _asked(self, caller: Caller, request_id: str) -> Acceptance:
        assert caller.project_id is not None, "requests about servers come with a project"
        return Acceptance(
            operation_id=OperationId(self._runtime.uuid()),
            request_id=request_id,
            project_id=caller.project_id,
            user_id=caller.user_id,
        )


async def _nothing() -> Sequence[Migration]:
    """No server that is nowhere yet migrates."""
    return []


def _change_txn(tx: Transaction, server_id: ServerId, change: Callable[[Server], Server]) -> Server:
    store.server_get_txn(tx, server_id)
    return store.server_change_txn(tx, server_id, change)
