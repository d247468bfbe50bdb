"""The roles of a whole cloud in one process: global conductor, and for each cell a conductor, a gateway and an agent."""

from collections.abc import Sequence

from kilonova.agent.images import ImagesInProcess
from kilonova.app import databases
from kilonova.app.foundation import Foundation
from kilonova.app.hosts import Hypervisor, start_hosts
from kilonova.app.hypervisor import Shape
from kilonova.app.scheduling import scheduler_of
from kilonova.cells.cells import CellRecord, Cells
from kilonova.cells.hosts import Hosts
from kilonova.clients.image import Images
from kilonova.clients.network import Networks
from kilonova.clients.volume import Volumes
from kilonova.database.database import tables_create_txn
from kilonova.database.tables import api_database, cell_database
from kilonova.engine.store import leases_expire_txn
from kilonova.kernel.ids import CELL0, CellId
from kilonova.operations.conductor import CellConductor, GlobalConductor
from kilonova.operations.timers import Timer
from kilonova.operations.work import Parts
from kilonova.placement.placement import Placement

LOCAL_BUS = "local:"
"""The bus URL of cells whose roles share a process."""


async def parts_of(
    foundation: Foundation,
    shape: Shape,
    networks: Networks,
    images: Images,
    placement: Placement,
    volumes: Volumes,
    *,
    alone: bool,
) -> Parts:
    """Open the API database and as many cells as `shape` has, and what works on them.

    When this process is `alone` with them, the leases of whoever was there before are over.
    """
    database = await foundation.database_with("api", api_database.metadata)
    cells = Cells(database, lambda record: foundation.database(databases.name_of(record.database_url)))
    await _make_cells(foundation, cells, shape.cells)
    if alone:
        for opened in (database, *(cell.database for cell in cells.all)):
            await opened.write(leases_expire_txn)
    config = foundation.config
    return Parts(
        runtime=foundation.runtime,
        bus=foundation.bus,
        database=database,
        cells=cells,
        hosts=Hosts(database, cells),
        placement=placement,
        scheduler=scheduler_of(config.scheduler, placement, foundation.runtime, config.pci.alias),
        networks=networks,
        images=images,
        volumes=volumes,
    )


async def start(
    foundation: Foundation, parts: Parts, shape: Shape, images: Images, timers: Sequence[Timer] = ()
) -> Hypervisor:
    """Start every role; they are stopped with the foundation's parts. `timers` are what begins by itself in the cells."""
    name = f"up-{parts.runtime.uuid()}"
    hypervisor = await start_hosts(foundation, parts, shape, ImagesInProcess(images))
    start_conductor(foundation, parts, name)
    start_cell_conductors(foundation, parts, name, timers)
    return hypervisor


def start_conductor(foundation: Foundation, parts: Parts, name: str) -> None:
    """Start a global conductor, which schedules; any number may run. `name` is this incarnation's and no other's."""
    foundation.run("global conductor", GlobalConductor(parts, name).run())


def start_cell_conductors(foundation: Foundation, parts: Parts, name: str, timers: Sequence[Timer]) -> None:
    """Start a conductor of each cell; any number may run of each."""
    for cell in parts.cells.all:
        foundation.run(f"conductor of {cell.record.name}", CellConductor(parts, cell, name, timers=timers).run())


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
        database_url=databases.registered(foundation.config, name),
        bus_url=LOCAL_BUS,
        disabled=False,
        created_at=foundation.runtime.now(),
    )
