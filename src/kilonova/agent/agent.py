"""The agent: pulls its hosts' steps from the gateway, makes them so through the driver, and reports.

It keeps nothing that matters: after a restart it finds its guests in the hypervisor and its steps at the gateway. Steps of one
server are done one at a time in the order in which they came, and one that had to wait is checked with the gateway again
before it begins, so that a step whose operation was superseded meanwhile is not done.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kilonova.agent.gateway_client import GatewayClient
from kilonova.agent.steps import perform
from kilonova.agent.turns import Turns
from kilonova.drivers.driver import Driver, ImageStore, MigrationAborted, NoGuestAgent
from kilonova.kernel.errors import KilonovaError
from kilonova.kernel.ids import HostName, OperationId
from kilonova.objects.guest import Guest, HostDescription
from kilonova.objects.history import wire
from kilonova.objects.history.wire import WIRE
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
        self._cell_time = 0.0
        self._doing: dict[OperationId, tuple[int, asyncio.Task[None]]] = {}
        self._turns = Turns()

    async def run(self) -> None:
        """Work until cancelled. The driver has been started."""
        rhythm = self._rhythm
        while not await self._patiently(self._describe):
            await self._runtime.sleep(rhythm.retry_s)
        await self._patiently(self._observe)
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
        """See `operations.consoles.Consoles`."""
        assert server.host is not None, "a console is a host's"
        return await self._driver.console_output(server.host, server.id, lines)

    async def _pull(self) -> None:
        while True:
            if not await self._patiently(self._take):
                await self._runtime.sleep(self._rhythm.retry_s)

    async def _take(self) -> None:
        """Wait for steps and set to work on them."""
        message = await self._gateway.poll(self.name, self._rhythm.poll_s)
        for step in wire.read(WIRE, message, HostStep):
            task = self._runtime.spawn(self._do(step), name=f"{step.kind}/{step.step} {step.server_id}")
            self._doing[step.operation_id] = (step.epoch, task)

    async def _do(self, step: HostStep) -> None:
        try:
            async with self._turns.of(step.server_id) as waited:
                if not waited or await self._is_still_mine(step):
                    await self._report(await self._attempt(step))
        except KilonovaError as error:
            log.warning("%s of %s is left to its lease: %s", step.step, step.server_id, error.message)
        finally:
            if self._doing.get(step.operation_id, (0, None))[0] == step.epoch:
                del self._doing[step.operation_id]

    async def _is_still_mine(self, step: HostStep) -> bool:
        return step.operation_id in await self._gateway.renew(self.name, [(step.operation_id, step.epoch)])

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

    async def _report(self, report: HostReport) -> None:
        if not await self._gateway.report(self.name, wire.told(self._level, [report], HostReport)):
            log.info("the report on %s came too late", report.operation_id)

    async def _beat(self) -> None:
        self._cell_time = await self._gateway.beat(self.name)

    async def _describe(self) -> None:
        hosts = [host for host in await self._driver.hosts() if self._is_mine(host.name)]
        message = wire.told(self._level, hosts, HostDescription)
        self._level = WIRE.level(await self._gateway.register(self.name, WIRE.newest.label, message))

    async def _renew(self) -> None:
        """Keep the leases of what is done; a step whose operation was superseded or taken over is given up."""
        doing = dict(self._doing)
        if not doing:
            return
        ours = await self._gateway.renew(self.name, sorted((id_, epoch) for id_, (epoch, _) in doing.items()))
        for id_, (_, task) in doing.items():
            if id_ not in ours:
                task.cancel()

    async def _observe(self) -> None:
        """Show what is there, and end the guests that must go."""
        seen_after = self._cell_time
        guests = [guest for guest in await self._driver.guests() if self._is_mine(guest.host)]
        answer = await self._gateway.observe(self.name, wire.told(self._level, guests, Guest), seen_after)
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
        """Do `work`; False when a gateway or hypervisor didn't answer, and it has to be tried again."""
        try:
            await work()
        except KilonovaError as error:
            log.warning("%s", error.message)
            return False
        return True
