"""What the tests of operations share: a cloud of one cell in virtual time, with every worker in a process of its own.

A worker's databases can be told to stop it once, before its n-th call, and to let something else happen first: with n counted
up until nothing happens any more, the something else has come at every moment of the worker's work.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from kilonova.agent.agent import Agent
from kilonova.agent.gateway import Gateway
from kilonova.agent.images import ImagesInProcess
from kilonova.cells.cells import CellRecord, Cells, cell_add_txn
from kilonova.cells.hosts import Hosts, hosts_register_txn
from kilonova.database.tables import api_database, cell_database
from kilonova.engine.runner import Pace, Runner
from kilonova.kernel.ids import CELL0, CellId, HostName, ProjectId, ServerId, UserId
from kilonova.objects.boot import Boot
from kilonova.objects.caller import Caller
from kilonova.objects.flavor import Flavor
from kilonova.objects.guest import HostDescription
from kilonova.objects.operation import Operation
from kilonova.objects.server import NicRequest, Server
from kilonova.operations import projection, requests, schedule
from kilonova.operations.catalog import CELL_PLANS
from kilonova.operations.conductor import GLOBAL_PLANS
from kilonova.operations.discovery import Discovery
from kilonova.operations.quota import Quota
from kilonova.operations.servers import Servers
from kilonova.operations.settle import Settler
from kilonova.operations.work import Parts, Work
from kilonova.placement import tables as placement_tables
from kilonova.placement.placement import Placement
from kilonova.scheduler.service import Scheduler
from kilonova.simulation.bus import Broker, SimBus
from kilonova.simulation.database import DatabaseServer, SimDatabase
from kilonova.simulation.doubles import volumes
from kilonova.simulation.doubles.images import ImageService, SimImages
from kilonova.simulation.doubles.networks import NETWORK, NetworkService, SimNetworks
from kilonova.simulation.doubles.volumes import SimVolumes
from kilonova.simulation.faults import QUIET, Faults
from kilonova.simulation.hypervisor import HostSize, Hypervisor, SimDriver
from kilonova.simulation.loop import SimLoop, simulate
from kilonova.simulation.process import Process
from kilonova.simulation.runtime import STARTED_AT, SimRuntime
from kilonova.simulation.sometimes import Sometimes

CELL1 = CellId("00000000-0000-4000-8000-000000000001")
HOST = HostName("host-1")
FLAVOR = Flavor(id="1", name="small", vcpus=1, memory_mb=512, disk_gb=1)
CALLER = Caller(user_id=UserId("user"), user_name="user", project_id=ProjectId("project"), roles=("member",))
REQUEST = "req-11111111-0000-4000-8000-000000000001"
NEVER_S = 1e6


def server_id(number: int = 1) -> ServerId:
    return ServerId(f"aaaaaaaa-0000-4000-8000-{number:012}")


def server(number: int = 1, **fields: Any) -> Server:
    known: dict[str, Any] = {
        "id": server_id(number),
        "project_id": CALLER.project_id,
        "user_id": CALLER.user_id,
        "name": f"server-{number}",
        "hostname": f"server-{number}",
        "flavor": FLAVOR,
        "image_id": None,
        "networks_requested": (NicRequest(network_id=NETWORK.id),),
        "created_at": STARTED_AT,
        "updated_at": STARTED_AT,
    }
    return Server(**{**known, **fields})


def description(name: str = HOST, **fields: Any) -> HostDescription:
    known: dict[str, Any] = {
        "name": HostName(name),
        "hypervisor_type": "fake",
        "hypervisor_version": 1,
        "vcpus": 64,
        "memory_mb": 65536,
        "disk_gb": 1000,
        "host_ip": "127.0.0.1",
        "cpu_info": {},
    }
    return HostDescription(**{**known, **fields})


class Interruption:
    """Lets something happen before the n-th call of a worker to its databases."""

    def __init__(self, at: int, happens: Callable[[], Awaitable[Any]]) -> None:
        self._left = at
        self._happens = happens
        self.happened = False
        self.passed = 0

    async def pass_by(self) -> None:
        self.passed += 1
        self._left -= 1
        if self._left == 0:
            self.happened = True
            await self._happens()


class InterruptedDatabase:
    """Implements `Database` on another, with an interruption on the way."""

    def __init__(self, inner: SimDatabase, interruption: Interruption | None) -> None:
        self.name = inner.name
        self._inner = inner
        self._interruption = interruption

    async def read(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        await self._pass_by()
        return await self._inner.read(work, *args, **kwargs)

    scan = read

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        await self._pass_by()
        return await self._inner.write(work, *args, **kwargs)

    async def close(self) -> None: ...

    async def _pass_by(self) -> None:
        if self._interruption is not None:
            await self._interruption.pass_by()


class Rig:
    """The databases of a cloud and the services beside them. Nobody works before somebody is started."""

    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop
        self.faults, self.sometimes = Faults(QUIET), Sometimes()
        self.api = DatabaseServer(loop, "api", api_database.metadata)
        self.placement = DatabaseServer(loop, "placement", placement_tables.metadata)
        self.cells = {
            cell: DatabaseServer(loop, name, cell_database.metadata)
            for cell, name in ((CELL0, "cell0"), (CELL1, "cell1"))
        }
        self.ports = NetworkService(loop)
        self.images = ImageService()
        self.volumes = volumes.simulated(loop)
        self._processes = 0
        self.complaints: list[str] = []
        self.hypervisor = Hypervisor(loop, HostSize(vcpus=64, memory_mb=65536, disk_gb=1000), self.complaints.append)
        self.broker = Broker(loop, self.faults, self.sometimes)
        for cell in self.cells:
            record = CellRecord(
                id=cell, name=cell[-5:], database_url=cell, bus_url="", disabled=False, created_at=STARTED_AT
            )
            self.api.write(lambda tx, record=record: cell_add_txn(tx, record))

    @property
    def cell1(self) -> DatabaseServer:
        return self.cells[CELL1]

    def process(self, name: str) -> Process:
        """A new process."""
        self._processes += 1
        return self.loop.process(name, self._processes)

    async def parts(self, name: str, interruption: Interruption | None = None, process: Process | None = None) -> Parts:
        """The services as `process`, or a new one called `name`, reaches them."""
        process = process or self.process(name)
        runtime = SimRuntime(self.loop, process)

        def connected(to: DatabaseServer) -> Any:
            return InterruptedDatabase(SimDatabase(self.loop, to, process, self.faults, self.sometimes), interruption)

        database = connected(self.api)
        cells = Cells(
            SimDatabase(self.loop, self.api, process, self.faults, self.sometimes),
            lambda record: connected(self.cells[CellId(record.database_url)]),
        )
        await cells.load()
        placement = Placement(connected(self.placement))
        return Parts(
            runtime=runtime,
            bus=SimBus(self.broker, process),
            database=database,
            cells=cells,
            hosts=Hosts(database, cells),
            placement=placement,
            scheduler=Scheduler(placement, runtime),
            networks=SimNetworks(self.loop, self.ports, process, self.faults),
            images=SimImages(self.loop, self.images, process, self.faults),
            volumes=SimVolumes(self.loop, self.volumes, process, self.faults),
        )

    async def add_hosts(self, *names: str) -> None:
        """Let an agent register hosts, and make them known. Nobody does their work yet."""
        found = [description(name) for name in names or (HOST,)]
        parts = await self.parts("registrar")
        cell = parts.cells.get(CELL1)
        await cell.database.write(hosts_register_txn, "agent", "1.0", found, parts.runtime.uuid)
        await Discovery(parts).look()
        for one in found:
            self.hypervisor.add_host(one.name)

    async def start_agent(self, *names: str, driver_class: type[SimDriver] = SimDriver) -> Process:
        """Start the agent of these hosts, beside its gateway."""
        process = self.process("agent")
        parts = await self.parts("agent", process=process)
        hosts = [HostName(name) for name in names or (HOST,)]
        driver = driver_class(self.loop, self.hypervisor, hosts, self.faults, self.sometimes)
        images = ImagesInProcess(SimImages(self.loop, self.images, process, self.faults))
        agent = Agent("agent", parts.runtime, driver, Gateway(parts, parts.cells.get(CELL1)), images)
        parts.runtime.spawn(agent.run(), name="agent")
        return process

    async def servers(self, **limits: int) -> Servers:
        parts = await self.parts("api")
        return Servers(parts, Quota(parts.database, {"instances": 100, "cores": 1000, **limits}), _NoConsoles())

    async def boot(self, *numbers: int, **fields: Any) -> Servers:
        """Accept servers; the API that did."""
        api = await self.servers()
        wanted = [server(number, **fields) for number in numbers or (1,)]
        boots = [Boot(server=one, image=one.image) for one in wanted]
        await api.boot(CALLER, REQUEST, boots)
        return api

    def start_global(self, parts: Parts, name: str) -> "asyncio.Task[None]":
        """Start a worker on the operations of the API database."""
        return self._start(parts, name, parts.database, schedule.TOPIC, GLOBAL_PLANS, requests.project_txn)

    def start_cell(self, parts: Parts, name: str, cell_id: CellId = CELL1) -> "asyncio.Task[None]":
        """Start a worker on the operations of a cell."""
        cell = parts.cells.get(cell_id)
        return self._start(parts, name, cell.database, cell.topic, CELL_PLANS, projection.project_txn)

    async def start_all(self, name: str = "worker") -> None:
        """Start a worker for everything there is, but hosts."""
        parts = await self.parts(name)
        self.start_global(parts, name)
        for cell in parts.cells.all:
            self.start_cell(parts, name, cell.id)
            parts.runtime.spawn(Settler(parts).run(cell), name="settler")

    def of(self, number: int = 1) -> tuple[CellId | None, Server] | None:
        """A server as it stands in some database, deleted or not, cells first; None when it is nowhere."""
        for cell, database in (*self.cells.items(), (None, self.api)):
            for (body,) in database.rows(f"SELECT body FROM servers WHERE id = '{server_id(number)}'"):
                return cell, msgspec.json.decode(body, type=Server)
        return None

    def held(self) -> dict[str, int]:
        """How many VCPUs each consumer holds."""
        query = "SELECT consumer_uuid, SUM(used) FROM allocations WHERE resource_class = 'VCPU' GROUP BY 1"
        return dict(self.placement.rows(query))

    def live(self) -> list[tuple[str, str]]:
        """Kind and step of every live operation."""
        query = "SELECT kind, step FROM operations WHERE live = 1"
        return [row for database in (self.api, *self.cells.values()) for row in database.rows(query)]

    async def settled(self, most_s: float = 120.0) -> None:
        """Wait until nobody has anything left to do."""
        give_up_at = self.loop.time() + most_s
        while self.live():
            assert self.loop.time() < give_up_at, f"still live: {self.live()}"
            await asyncio.sleep(0.25)
        await asyncio.sleep(5.0)

    def close(self) -> None:
        for database in (self.api, self.placement, *self.cells.values()):
            database.close()

    @staticmethod
    def _start(parts: Parts, name: str, database: Any, topic: str, plans: Any, project: Any) -> "asyncio.Task[None]":
        def work(operation: Operation) -> Work:
            return Work(operation, database, parts)

        runner: Runner[Work] = Runner(
            runtime=parts.runtime,
            database=database,
            bus=parts.bus,
            topic=topic,
            plans=plans,
            context=work,
            project=project,
            owner=name,
            pace=Pace(renew_s=NEVER_S),
        )
        return parts.runtime.spawn(runner.run(), name=name)


class _NoConsoles:
    async def output(self, server: Server, lines: int | None) -> str:
        raise NotImplementedError

    async def diagnostics(self, server: Server) -> Any:
        raise NotImplementedError

    async def image_fetch(self, host: str, image: Any) -> None:
        raise NotImplementedError


def play(work: Callable[[Rig], Awaitable[Any]], seed: int = 1) -> Any:
    """Run `work` on a rig in virtual time; what it returned."""

    async def main(loop: SimLoop) -> Any:
        rig = Rig(loop)
        try:
            return await work(rig)
        finally:
            rig.close()

    result, loop = simulate(main, seed)
    assert not loop.complaints, loop.complaints
    return result
