"""The roles of a whole cloud in one process: global conductor, and for each cell a conductor, a gateway and an agent."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any

from kilonova.agent.agent import Agent
from kilonova.agent.gateway import Gateway
from kilonova.app.foundation import Foundation
from kilonova.app.hypervisor import Shape
from kilonova.cells.cells import Cell, CellRecord, Cells
from kilonova.cells.hosts import Hosts, hosts_mapped_txn
from kilonova.clients.image import Images
from kilonova.clients.network import Networks
from kilonova.database.database import tables_create_txn
from kilonova.database.tables import api_database, cell_database
from kilonova.drivers.driver import Driver
from kilonova.engine.store import leases_expire_txn
from kilonova.kernel.ids import CELL0, CellId, HostName
from kilonova.objects.guest import GuestImage
from kilonova.objects.server import Server
from kilonova.operations.conductor import CellConductor, GlobalConductor
from kilonova.operations.timers import Timer
from kilonova.operations.work import Parts
from kilonova.placement.placement import Placement
from kilonova.scheduler.service import Scheduler

LOCAL_BUS = "local:"
"""The bus URL of cells whose roles share a process."""


async def parts_of(foundation: Foundation, shape: Shape, networks: Networks, placement: Placement) -> Parts:
    """Open the API database and as many cells as `shape` has, and what works on them."""
    database = await foundation.database_with("api", api_database.metadata)
    cells = Cells(database, lambda record: foundation.database(_file_of(record)))
    await _make_cells(foundation, cells, shape.cells)
    for opened in (database, *(cell.database for cell in cells.all)):
        await opened.write(leases_expire_txn)  # the state directory's lock says that nobody else is at work
    return Parts(
        runtime=foundation.runtime,
        bus=foundation.bus,
        database=database,
        cells=cells,
        hosts=Hosts(database, cells),
        placement=placement,
        scheduler=Scheduler(placement, foundation.runtime),
        networks=networks,
    )


async def start(
    foundation: Foundation, parts: Parts, driver: Driver, images: Images, timers: Sequence[Timer] = ()
) -> "Agents":
    """Start every role; they are stopped with the foundation's parts. `timers` are what begins by itself in the cells."""
    await driver.start()
    foundation.parts.push_async_callback(driver.close)
    name = f"up-{parts.runtime.uuid()}"
    cell_of = await _hosts_by_cell(parts, driver)
    agents = {cell.id: _agent(parts, cell, driver, images, cell_of) for cell in parts.cells.with_hosts}
    _run(foundation, "global conductor", GlobalConductor(parts, name).run())
    for cell in parts.cells.all:
        _run(foundation, f"conductor of {cell.record.name}", CellConductor(parts, cell, name, timers=timers).run())
    for agent in agents.values():
        _run(foundation, agent.name, agent.run())
    return Agents(agents, cell_of)


class Agents:
    """The agents of this process, by what they serve. Implements `operations.consoles.Consoles`."""

    def __init__(self, agents: Mapping[CellId, Agent], cell_of: Mapping[HostName, CellId]) -> None:
        """`cell_of` says which cell's agent serves a host."""
        self._agents = agents
        self._cell_of = cell_of

    async def output(self, server: Server, lines: int | None) -> str:
        """See `Consoles.output`."""
        assert server.host is not None, "a console is a host's"
        return await self._agents[self._cell_of[server.host]].output(server, lines)


class _ImageSource:
    """Implements `drivers.driver.ImageSource` on the image service."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def image_content(self, image: GuestImage) -> AsyncIterator[bytes]:
        return self._images.image_content(image.id)


async def _make_cells(foundation: Foundation, cells: Cells, wanted: int) -> None:
    """cell0, and `wanted` cells beside it, each with its tables."""
    await cells.load()
    if not cells.all:
        await cells.add(_record(foundation, CELL0, "cell0"))
    for number in range(len(cells.with_hosts) + 1, wanted + 1):
        await cells.add(_record(foundation, CellId(foundation.runtime.uuid()), f"cell{number}"))
    for cell in cells.all:
        await cell.database.write(tables_create_txn, cell_database.metadata)


def _record(foundation: Foundation, cell_id: CellId, name: str) -> CellRecord:
    return CellRecord(
        id=cell_id,
        name=name,
        database_url=f"sqlite:{name}",
        bus_url=LOCAL_BUS,
        disabled=False,
        created_at=foundation.runtime.now(),
    )


def _file_of(record: CellRecord) -> str:
    return record.database_url.removeprefix("sqlite:")


async def _hosts_by_cell(parts: Parts, driver: Driver) -> dict[HostName, CellId]:
    """Every host's cell: where it has always been, and for a new one the cell with the fewest."""
    cell_of: dict[HostName, CellId] = dict(await parts.database.read(hosts_mapped_txn))
    fill = {cell.id: 0 for cell in parts.cells.with_hosts}
    for cell_id in cell_of.values():
        fill[cell_id] += 1
    for host in await driver.hosts():
        if host.name not in cell_of:
            emptiest = min(fill, key=fill.__getitem__)
            cell_of[host.name] = emptiest
            fill[emptiest] += 1
    return cell_of


def _agent(parts: Parts, cell: Cell, driver: Driver, images: Images, cell_of: Mapping[HostName, CellId]) -> Agent:
    return Agent(
        f"agent-{cell.record.name}",
        parts.runtime,
        driver,
        Gateway(parts, cell),
        _ImageSource(images),
        hosts=lambda host: cell_of.get(host) == cell.id,
    )


def _run(foundation: Foundation, name: str, work: Coroutine[Any, Any, None]) -> None:
    """Run a role until the cloud closes. A role that fails is a bug: the loop's exception handler says so."""
    task = foundation.runtime.spawn(work, name=name)

    async def stop() -> None:
        task.cancel()
        await asyncio.wait([task])

    foundation.parts.push_async_callback(stop)
