"""The agent: pulls its hosts' steps from the gateway, makes them so through the driver, and reports.

It keeps nothing that matters: after a restart it finds its guests in the hypervisor and its steps at the gateway. Steps of one
server are done one at a time in the order in which they came, and one that had to wait is checked with the gateway again
before it begins, so that a step whose operation was superseded meanwhile is not done.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from kilonova.agent.gateway_client import GatewayClient, Registered
from kilonova.agent.steps import perform
from kilonova.agent.turns import Turns
from kilonova.cells.agents import AgentReplaced
from kilonova.drivers.driver import Driver, HypervisorFailure, ImageStore, MigrationAborted, NoGuestAgent
from kilonova.kernel.errors import Conflict, KilonovaError
from kilonova.kernel.ids import HostName, OperationId
from kilonova.objects.diagnostics import Diagnostics
from kilonova.objects.guest import Guest, GuestImage, HostDescription
from kilonova.objects.history import wire
from kilonova.objects.history.wire import WIRE
from kilonova.objects.host import Session
from kilonova.objects.host_action import Migrate
from kilonova.objects.host_step import HostReport, HostStep, Order
from kilonova.objects.server import Server
from kilonova.runtime.runtime import Runtime

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rhythm:
    """How often an agent does what it does again and again, in seconds."""

    beat_s: float = 10.0
    observe_s: float = 10.0
    describe_s: float = 60.0
    renew_s: float = 5.0
    poll_s: float = 5.0
    retry_s: float = 1.0
    images_s: float = 600.0
    images_unused_s: float = 24 * 3600.0


class Agent:
    """One agent with one driver, for all hosts of that driver."""

    def __init__(
        self,
        name: str,
        runtime: Runtime,
        driver: Driver,
        gateway: GatewayClient,
        images: ImageStore,
        hosts: Callable[[HostName], bool] = lambda _: True,
        rhythm: Rhythm | None = None,
    ) -> None:
        """`name` is the agent's own, the same after every restart; `hosts` tells which of the driver's hosts are its."""
        self.name = name
        self._runtime = runtime
        self._driver = driver
        self._gateway = gateway
        self._images = images
        self._is_mine = hosts
        self._rhythm = rhythm or Rhythm()
        self._level = WIRE.newest
        self._session = Session(id=runtime.uuid(), epoch=0)
        self._cell_time = 0.0
        self._doing: dict[OperationId, tuple[HostStep, asyncio.Task[None]]] = {}
        self._turns = Turns()

    async def run(self) -> None:
        """Work until cancelled, or until a session that registered later has taken the hosts. The driver has been started."""
        try:
            while not await self._patiently(self._take_hosts):
                await self._runtime.sleep(self._rhythm.retry_s)
            await self._patiently(self._observe)
            await self._work()
        except* AgentReplaced as replaced:
            log.warning("%s", replaced.exceptions[0])
            for _, task in self._doing.values():
                task.cancel()

    async def _work(self) -> None:
        """Do everything that an agent does, again and again."""
        rhythm = self._rhythm
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pull())
            for work, every_s in (
                (self._beat, rhythm.beat_s),
                (self._observe, rhythm.observe_s),
                (self._describe, rhythm.describe_s),
                (self._renew, rhythm.renew_s),
                (self._clean_images, rhythm.images_s),
            ):
                group.create_task(self._again(work, every_s))

    async def output(self, server: Server, lines: int | None) -> str:
        """See `operations.host_questions.HostQuestions`."""
        assert server.host is not None, "a console is a host's"
        return await self._driver.console_output(server.host, server.id, lines)

    async def diagnostics(self, server: Server) -> Diagnostics:
        """See `operations.host_questions.HostQuestions`."""
        assert server.host is not None, "a guest is a host's"
        try:
            return await self._driver.guest_diagnostics(server.host, server.id)
        except HypervisorFailure as failure:
            raise Conflict(reason=failure.message) from failure

    async def image_fetch(self, host: HostName, image: GuestImage) -> None:
        """See `operations.host_questions.HostQuestions`."""
        await self._driver.image_fetch(host, image, self._images)

    async def _pull(self) -> None:
        while True:
            if not await self._patiently(self._take):
                await self._runtime.sleep(self._rhythm.retry_s)

    async def _take(self) -> None:
        """Wait for steps and set to work on them."""
        message = await self._gateway.poll(self.name, self._rhythm.poll_s, self._session.epoch)
        for step in wire.read(WIRE, message, HostStep):
            task = self._runtime.spawn(self._do(step), name=f"{step.kind}/{step.step} {step.server_id}")
            self._doing[step.operation_id] = (step, task)

    async def _do(self, step: HostStep) -> None:
        try:
            async with self._turns.of(step.server_id) as waited:
                if not waited or await self._is_still_mine(step):
                    await self._report(step, await self._attempt(step))
        except KilonovaError as error:
            log.warning("%s of %s is left to its lease: %s", step.step, step.server_id, error.message)
        finally:
            doing = self._doing.get(step.operation_id)
            if doing is not None and doing[0].epoch == step.epoch:
                del self._doing[step.operation_id]

    async def _is_still_mine(self, step: HostStep) -> bool:
        held = [(step.operation_id, step.epoch)]
        return step.operation_id in await self._gateway.renew(self.name, held, self._session.epoch)

    async def _attempt(self, step: HostStep) -> HostReport:
        try:
            async with asyncio.timeout(step.timeout_s):
                guest, outputs = await perform(self._driver, step, self._images)
        except KilonovaError as error:
            final = isinstance(error, NoGuestAgent | MigrationAborted)
            return HostReport(operation_id=step.operation_id, epoch=step.epoch, error=error.message, final=final)
        except TimeoutError:
            reason = f"{step.step} took longer than {step.timeout_s:g} s"
            return HostReport(operation_id=step.operation_id, epoch=step.epoch, error=reason)
        except Exception as error:  # a bug of a driver must not stop the agent: the operation says it
            log.exception("%s of %s failed", step.step, step.server_id)
            reason = f"{step.step}: unexpected {type(error).__name__}"
            return HostReport(operation_id=step.operation_id, epoch=step.epoch, error=reason)
        return HostReport(operation_id=step.operation_id, epoch=step.epoch, guest=guest, outputs=outputs)

    async def _report(self, step: HostStep, report: HostReport) -> None:
        report = msgspec.structs.replace(report, host_epoch=step.host_epoch)
        if not await self._gateway.report(self.name, wire.told(self._level, [report], HostReport)):
            log.info("the report on %s came too late", report.operation_id)

    async def _beat(self) -> None:
        self._cell_time = await self._gateway.beat(self.name, self._session.epoch)

    async def _take_hosts(self) -> None:
        """Ask for a higher epoch than the hosts have. Whoever asks at the same time makes it higher still, so ask again."""
        asked = Session(id=self._session.id, epoch=1)
        while not (answer := await self._register(asked)).held:
            asked = msgspec.structs.replace(asked, epoch=answer.epoch + 1)
        self._session, self._cell_time = asked, answer.time

    async def _describe(self) -> None:
        answer = await self._register(self._session)
        if not answer.held:
            raise AgentReplaced(agent=self.name)

    async def _register(self, session: Session) -> Registered:
        hosts = [host for host in await self._driver.hosts() if self._is_mine(host.name)]
        message = wire.told(self._level, hosts, HostDescription)
        answer = await self._gateway.register(self.name, WIRE.newest.label, message, session)
        self._level = WIRE.level(answer.level)
        return answer

    async def _renew(self) -> None:
        """Keep the leases of what is done, and hear what is wished; a step that was superseded or taken over is given up."""
        doing = dict(self._doing)
        if not doing:
            return
        held = sorted((id_, step.epoch) for id_, (step, _) in doing.items())
        ours = await self._gateway.renew(self.name, held, self._session.epoch)
        for id_, (step, task) in doing.items():
            if id_ not in ours:
                task.cancel()
            elif ours[id_] and isinstance(step.action, Migrate):
                await self._wish(step, ours[id_])

    async def _wish(self, step: HostStep, wish: str) -> None:
        """Do what is wished about a migration under way; again each time, since it may have begun only now."""
        tell = self._driver.guest_migrate_abort if wish == "abort" else self._driver.guest_migrate_force
        await tell(step.host, step.server_id)

    async def _observe(self) -> None:
        """Show what is there, and end the guests that must go."""
        seen_after = self._cell_time
        guests = [guest for guest in await self._driver.guests() if self._is_mine(guest.host)]
        message = wire.told(self._level, guests, Guest)
        answer = await self._gateway.observe(self.name, message, seen_after, self._session.epoch)
        for order in wire.read(WIRE, answer, Order):
            async with self._turns.of(order.server_id):
                await self._driver.guest_destroy(
                    order.host, order.server_id, order.generation, keep_disks=order.keep_disks
                )

    async def _clean_images(self) -> None:
        await self._driver.images_clean(self._rhythm.images_unused_s)

    async def _again(self, work: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            await self._runtime.sleep(every_s)
            await self._patiently(work)

    async def _patiently(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do `work`; False when a gateway or hypervisor didn't answer, and it has to be tried again. Raises `AgentReplaced`."""
        try:
            await work()
        except AgentReplaced:
            raise
        except KilonovaError as error:
            log.warning("%s", error.message)
            return False
        return True
