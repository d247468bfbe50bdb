"""The agent: pulls its hosts' steps from the gateway, makes them so through the driver, and reports.

It keeps nothing that matters: after a restart it finds its guests in the hypervisor and its steps at the gateway. Steps of one
server are done one at a time, and each is checked with the gateway again just before it begins, so that a step whose operation
was superseded while it waited is never done.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kilonova.agent.steps import perform
from kilonova.drivers.driver import Driver, ImageSource
from kilonova.kernel.errors import KilonovaError, Unavailable
from kilonova.kernel.ids import HostName, OperationId, ServerId
from kilonova.objects.guest import Guest, HostDescription
from kilonova.objects.host_step import HostReport, HostStep, Order
from kilonova.objects.server import Server
from kilonova.runtime.runtime import Runtime

log = logging.getLogger(__name__)


class GatewayClient(Protocol):
    """The gateway as an agent sees it. Every call raises `Unavailable` when it can't be reached."""

    async def register(self, agent: str, descriptions: Sequence[HostDescription]) -> None:
        """Say which hosts the agent serves, and what they have."""

    async def beat(self, agent: str) -> None:
        """Say that the agent is there."""

    async def renew(self, agent: str, held: Sequence[tuple[OperationId, int]]) -> set[OperationId]:
        """Renew the leases of steps; those that are still the agent's."""

    async def poll(self, agent: str, wait_s: float) -> list[HostStep]:
        """Steps for the agent's hosts, each leased to it."""

    async def report(self, agent: str, report: HostReport) -> bool:
        """Tell what came of a step; False when it came too late."""

    async def observe(self, agent: str, guests: Sequence[Guest]) -> list[Order]:
        """Tell what the hypervisors show; the guests that must go."""


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
        images: ImageSource,
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
        self._held: dict[OperationId, int] = {}
        self._locks: dict[ServerId, asyncio.Lock] = {}

    async def run(self) -> None:
        """Work until cancelled. The driver has been started."""
        await self._patiently(self._describe)
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
        """See `operations.consoles.Consoles`."""
        assert server.host is not None, "a console is a host's"
        return await self._driver.console_output(server.host, server.id, lines)

    async def _pull(self) -> None:
        while True:
            steps: list[HostStep] = []
            try:
                steps = await self._gateway.poll(self.name, self._rhythm.poll_s)
            except Unavailable as error:
                log.warning("no work from the gateway: %s", error.message)
                await self._runtime.sleep(self._rhythm.retry_s)
            for step in steps:
                self._held[step.operation_id] = step.epoch
                self._runtime.spawn(self._do(step), name=f"{step.kind}/{step.step} {step.server_id}")

    async def _do(self, step: HostStep) -> None:
        lock = self._locks.setdefault(step.server_id, asyncio.Lock())
        try:
            async with lock:
                held = await self._gateway.renew(self.name, [(step.operation_id, step.epoch)])
                if step.operation_id in held:
                    await self._report(await self._attempt(step))
        except Unavailable as error:
            log.warning("%s of %s is left to its lease: %s", step.step, step.server_id, error.message)
        finally:
            if self._held.get(step.operation_id) == step.epoch:
                del self._held[step.operation_id]
            if not lock.locked():
                self._locks.pop(step.server_id, None)

    async def _attempt(self, step: HostStep) -> HostReport:
        try:
            guest = await perform(self._driver, step, self._images)
        except KilonovaError as error:
            return HostReport(operation_id=step.operation_id, epoch=step.epoch, error=error.message)
        except Exception as error:  # a bug of a driver must not stop the agent: the operation says it
            log.exception("%s of %s failed", step.step, step.server_id)
            reason = f"{step.step}: unexpected {type(error).__name__}"
            return HostReport(operation_id=step.operation_id, epoch=step.epoch, error=reason)
        return HostReport(operation_id=step.operation_id, epoch=step.epoch, guest=guest)

    async def _report(self, report: HostReport) -> None:
        if not await self._gateway.report(self.name, report):
            log.info("the report on %s came too late", report.operation_id)

    async def _beat(self) -> None:
        await self._gateway.beat(self.name)

    async def _describe(self) -> None:
        hosts = [host for host in await self._driver.hosts() if self._is_mine(host.name)]
        await self._gateway.register(self.name, hosts)

    async def _renew(self) -> None:
        if self._held:
            await self._gateway.renew(self.name, sorted(self._held.items()))

    async def _observe(self) -> None:
        """Show what is there, and end the guests that must go."""
        guests = [guest for guest in await self._driver.guests() if self._is_mine(guest.host)]
        for order in await self._gateway.observe(self.name, guests):
            lock = self._locks.setdefault(order.server_id, asyncio.Lock())
            async with lock:
                await self._driver.guest_destroy(order.host, order.server_id, order.generation)

    async def _clean_images(self) -> None:
        await self._driver.images_clean(self._rhythm.images_unused_s)

    async def _again(self, work: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            await self._patiently(work)
            await self._runtime.sleep(every_s)

    async def _patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work`; a gateway or hypervisor that doesn't answer now is tried again in its own time."""
        try:
            await work()
        except KilonovaError as error:
            log.warning("%s", error.message)
