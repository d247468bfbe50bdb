"""A whole cloud in one loop: the roles of the product, each in a process of its own, over durable things that outlive them."""

import asyncio
import random
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import partial

import msgspec
from sqlalchemy import insert

from kilonova.agent.agent import Agent
from kilonova.agent.gateway import Gateway
from kilonova.agent.gateway_client import GatewayClient
from kilonova.agent.images import ImagesInProcess
from kilonova.agent.observation import Strays
from kilonova.cells.cells import CellRecord, Cells, cell_add_txn
from kilonova.cells.hosts import Hosts
from kilonova.database.tables import api_database, cell_database
from kilonova.kernel.errors import Unavailable
from kilonova.kernel.ids import CELL0, CellId, HostName, ProjectId, ServerId
from kilonova.objects.diagnostics import Diagnostics
from kilonova.objects.guest import GuestImage, PowerState
from kilonova.objects.server import Server
from kilonova.operations.auditor import AuditPace
from kilonova.operations.conductor import CellConductor, GlobalConductor
from kilonova.operations.quota import Quota
from kilonova.operations.servers import Servers
from kilonova.operations.timers import resize_confirmation, shelved_offload
from kilonova.operations.work import Parts
from kilonova.placement import tables as placement_tables
from kilonova.placement.placement import Placement
from kilonova.scheduler.service import Scheduler
from kilonova.simulation.bus import Broker, SimBus
from kilonova.simulation.database import DatabaseServer, SimDatabase
from kilonova.simulation.doubles.images import ImageService, SimImages
from kilonova.simulation.doubles.networks import NetworkService, SimNetworks
from kilonova.simulation.doubles.volumes import SimVolumes, simulated
from kilonova.simulation.faults import Faults, Rates
from kilonova.simulation.groups import group_of
from kilonova.simulation.hypervisor import HostSize, Hypervisor, SimDriver
from kilonova.simulation.hypervisor.hardware import NO_MARK
from kilonova.simulation.invariants import always
from kilonova.simulation.invariants.at_rest import Durable
from kilonova.simulation.loop import SimLoop
from kilonova.simulation.network import Network
from kilonova.simulation.process import Process
from kilonova.simulation.roles import Main, Role
from kilonova.simulation.runtime import STARTED_AT, SimRuntime
from kilonova.simulation.sessions import Takings, WatchedGateway
from kilonova.simulation.sometimes import Sometimes

WARM_UP_MAX_S = 180
FAR_SHARE = 0.3
"""How likely each process and database is on the far side of a partition."""
ANOTHER_NAME_SHARE = 0.3
"""How many agents that are started beside another call themselves otherwise."""
_RESTING = """
    SELECT host, id FROM servers WHERE current_op IS NULL AND host IS NOT NULL
    AND vm_state IN ('active', 'stopped', 'paused', 'suspended', 'rescued') ORDER BY id"""

AUDIT = AuditPace(every_s=10.0, remove_after_s=0.0)
"""Often enough to be done before judgement, and as soon as it may be, so that whatever it must not take is taken."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How large a simulated cloud is."""

    cells: int = 1
    global_conductors: int = 2
    cell_conductors: int = 2
    agents: int = 2
    """For each cell."""
    hosts: int = 1
    """For each agent."""
    size: HostSize = HostSize()
    instances: int = 10
    """The quota of each project."""
    cores: int = 100
    """The same of virtual processors."""
    silent_bus: bool = False
    resize_confirm_window_s: float = 0.0
    """As `[compute] resize_confirm_window_s`."""
    shelved_offload_after_s: float | None = None
    """How long shelved servers stay on their hosts; None: until somebody asks."""
    strays: Strays = Strays(destroyed=True, missing_after_s=5.0)
    """As `[compute] missing_guest_s` and `unknown_guests`; with little time, so that all is over before judgement."""


class World:
    """The cloud: `durable` outlives processes, `roles` are the processes. Implements `storm.Breakable`."""

    def __init__(self, loop: SimLoop, shape: Shape, rates: Rates, without: Collection[str] = ()) -> None:
        """Install everything; nothing runs before `warm_up`. `without` as `Faults` takes it."""
        self.loop = loop
        self.shape = shape
        self.faults = Faults(rates, loop.seed, without=without)
        self.faults.on_strike = partial(loop.note, "fault")
        self.sometimes = Sometimes()
        self.violations: dict[str, float] = {}
        """Each with the virtual time at which it was seen first."""
        self.network = Network(loop, self.faults)
        self.broker = Broker(
            loop, self.faults, self.sometimes, silent=shape.silent_bus, connected=self.network.connected
        )
        self.durable = self._install()
        self.roles: dict[str, Role] = {}
        self.hosts_of: dict[str, list[HostName]] = {}
        """By the name of their agent."""
        self._agent_names: dict[str, str] = {}
        """What agents call themselves, by role."""
        self._takings: defaultdict[str, Takings] = defaultdict(Takings)
        self._add_roles()

    def report(self, what: str) -> None:
        """Something happened that must not."""
        if what not in self.violations:
            self.violations[what] = self.loop.time()
            self.loop.note("VIOLATION", what)

    async def warm_up(self) -> None:
        """Start every role, and let nothing go wrong until every host is known."""
        self.faults.on = False
        for role in self.roles.values():
            role.start()
        hosts = sum(len(names) for names in self.hosts_of.values())
        for _ in range(WARM_UP_MAX_S):
            await asyncio.sleep(1.0)
            if self.durable.api.rows("SELECT count(*) FROM host_map")[0][0] == hosts:
                break
        else:
            self.report(f"not every host is known {WARM_UP_MAX_S} s after the start")
        self.faults.on = True

    def add_groups(self, projects: Iterable[ProjectId]) -> None:
        """Give each project a server group whose members must not share a host."""
        rows = [
            {
                "id": group_of(project_id),
                "project_id": project_id,
                "user_id": "",
                "name": "apart",
                "policy": "anti-affinity",
                "created_at": STARTED_AT,
            }
            for project_id in dict.fromkeys(projects)
        ]
        self.durable.api.write(lambda tx: tx.execute(insert(api_database.server_groups), rows))

    def heal(self, *, lost_hosts: bool = False) -> None:
        """End every fault: all machines are on and connected, and nothing goes wrong any more.

        With `lost_hosts` those that are dark now never come back.
        """
        self.loop.note("heal")
        self.faults.on = False
        self.durable.hypervisor.relent()
        self.network.cut_off.clear()
        self.network.far_side = frozenset()
        self.broker.silent = self.shape.silent_bus
        for database in self.durable.databases:
            database.down_until = 0.0
        for name, role in self.roles.items():
            if role.held_down and lost_hosts:
                self.durable.hypervisor.lost.update(self.hosts_of[name])
                continue
            role.held_down = False
            for host in self.hosts_of.get(name, ()):
                self.durable.hypervisor.restore_power(host)
            role.start()

    def close(self) -> None:
        """Forget the databases."""
        for database in self.durable.databases:
            database.close()

    def servers(self, caller: Process) -> Servers:
        """The API as `caller` reaches it."""
        return self.network.remote(Servers, caller, self.roles["api"].found)

    # What storms do.

    def kill(self, pick: float, down_s: float) -> None:
        """See `Breakable.kill`."""
        self._pick(pick).kill(down_s)

    def freeze(self, pick: float, for_s: float) -> None:
        """See `Breakable.freeze`."""
        role = self._pick(pick)
        self.loop.note("freeze", role.name, f"for {for_s:.3f} s")
        role.process.freeze(self.loop.time() + for_s)

    def cut_off(self, pick: float, for_s: float) -> None:
        """See `Breakable.cut_off`."""
        name = self._pick(pick).name
        self.loop.note("cut off", name, f"for {for_s:.3f} s")
        self.network.cut_off.add(name)
        self.loop.call_later(for_s, self.network.cut_off.discard, name)

    def database_down(self, pick: float, for_s: float) -> None:
        """See `Breakable.database_down`."""
        server = self.durable.databases[int(pick * len(self.durable.databases))]
        self.loop.note("database down", server.name, f"for {for_s:.3f} s")
        server.down_until = max(server.down_until, self.loop.time() + for_s)

    def database_power_cut(self, pick: float, for_s: float) -> None:
        """See `Breakable.database_power_cut`."""
        server = self.durable.databases[int(pick * len(self.durable.databases))]
        self.loop.note("database power cut", server.name, f"for {for_s:.3f} s")
        self.sometimes("database_lost_power")
        server.cut_power(self.loop.time() + for_s)

    def partition(self, pick: float, for_s: float) -> None:
        """See `Breakable.partition`."""
        sides = random.Random(pick)
        names = [*self.roles, *(database.name for database in self.durable.databases)]
        far_side = frozenset(name for name in names if sides.random() < FAR_SHARE)
        self.loop.note("partition", *sorted(far_side), f"for {for_s:.3f} s")
        self.sometimes("network_partitioned")
        self.network.far_side = far_side
        self.loop.call_later(for_s, self._reunite, far_side)

    def host_dark(self, pick: float, for_s: float) -> None:
        """See `Breakable.host_dark`."""
        names = list(self.hosts_of)
        name = names[int(pick * len(names))]
        role = self.roles[name]
        if role.held_down:
            return
        self.loop.note("dark", name, f"for {for_s:.3f} s")
        role.held_down = True
        for host in self.hosts_of[name]:
            self.durable.hypervisor.cut_power(host)
        role.kill_others()
        role.kill(0.0)
        self.loop.call_later(for_s, self.light, name)

    def guest_crash(self, pick: float) -> None:
        """See `Breakable.guest_crash`."""
        running = [
            (host, server_id)
            for host, server_id, guest in self.durable.hypervisor.everything()
            if guest.power_state is PowerState.RUNNING
        ]
        if running:
            host, server_id = running[int(pick * len(running))]
            self.loop.note("crash", server_id, host)
            self.durable.hypervisor.crash(host, server_id)

    def agent_twice(self, pick: float, for_s: float) -> None:
        """See `Breakable.agent_twice`."""
        names = list(self.hosts_of)
        name = names[int(pick * len(names))]
        role, chance = self.roles[name], random.Random(pick)
        if not role.process.alive:
            return
        if chance.random() < ANOTHER_NAME_SHARE:
            self._agent_names[name] = f"{self._agent_names[name]}'"
        self.loop.note("twice", name, self._agent_names[name], f"frozen for {for_s:.3f} s")
        role.process.freeze(self.loop.time() + for_s)
        role.start_beside()

    def guest_vanishes(self, pick: float) -> None:
        """See `Breakable.guest_vanishes`."""
        hypervisor = self.durable.hypervisor
        there = [
            (HostName(host), ServerId(server_id))
            for database in self.durable.cells.values()
            for host, server_id in database.rows(_RESTING)
            if not hypervisor.is_dark(HostName(host)) and server_id in hypervisor.on(HostName(host))
        ]
        if there:
            hypervisor.vanish(*there[int(pick * len(there))])

    def guest_planted(self, pick: float) -> None:
        """See `Breakable.guest_planted`."""
        chance, hypervisor = random.Random(pick), self.durable.hypervisor
        cell_of = {
            HostName(host): cell_id
            for cell_id, database in self.durable.cells.items()
            for (host,) in database.rows("SELECT name FROM hosts ORDER BY name")
            if not hypervisor.is_dark(HostName(host))
        }
        if cell_of:
            host = chance.choice(list(cell_of))
            server_id = ServerId(str(uuid.UUID(int=chance.getrandbits(128))))
            hypervisor.plant(host, server_id, cell_id=chance.choice((cell_of[host], NO_MARK)))
            self.loop.note("planted", server_id, host)

    def _reunite(self, far_side: frozenset[str]) -> None:
        """End a partition, unless another has taken its place."""
        if self.network.far_side is far_side:
            self.network.far_side = frozenset()

    def light(self, name: str) -> None:
        """Give an agent's hosts their power back, unless they are lost; the agent starts with them."""
        if self.durable.hypervisor.lost.intersection(self.hosts_of[name]):
            return
        for host in self.hosts_of[name]:
            self.durable.hypervisor.restore_power(host)
        self.roles[name].held_down = False
        self.roles[name].start()

    def _pick(self, pick: float) -> Role:
        alive = [role for role in self.roles.values() if role.process.alive]
        roles = alive or list(self.roles.values())
        return roles[int(pick * len(roles))]

    # What there is.

    def _install(self) -> Durable:
        api = DatabaseServer(self.loop, "api database", api_database.metadata)
        placement = DatabaseServer(self.loop, "placement database", placement_tables.metadata)
        cells: dict[CellId, DatabaseServer] = {}
        for number in range(self.shape.cells + 1):
            cell_id = CELL0 if number == 0 else CellId(f"00000000-0000-4000-8000-{number:012}")
            cells[cell_id] = DatabaseServer(self.loop, f"cell{number} database", cell_database.metadata)
            record = CellRecord(
                id=cell_id,
                name=f"cell{number}",
                database_url=f"sim:{number}",
                bus_url="sim:",
                disabled=False,
                created_at=STARTED_AT,
            )
            api.write(partial(cell_add_txn, record=record))
            always.watch_cell(cells[cell_id], self.report)
            always.watch_hosts(cells[cell_id])
        always.watch_cell(api, self.report)
        always.watch_quota(api, self.shape.instances, self.report)
        always.watch_placement(placement, self.report)
        return Durable(
            api=api,
            placement=placement,
            cells=cells,
            hypervisor=Hypervisor(self.loop, self.shape.size, self.report),
            networks=NetworkService(self.loop),
            images=ImageService(),
            volumes=simulated(self.loop),
        )

    def _add_roles(self) -> None:
        shape = self.shape
        self._add("api", self._api)
        for number in range(1, shape.global_conductors + 1):
            self._add(f"global-conductor-{number}", self._global_conductor)
        for cell, cell_id in enumerate(self.durable.cells):
            for number in range(1, shape.cell_conductors + 1):
                self._add(f"cell{cell}-conductor-{number}", self._cell_conductor(cell_id))
                if cell_id == CELL0:
                    break  # there is little to do
            if cell_id == CELL0:
                continue
            gateway = self._add(f"cell{cell}-gateway", self._gateway(cell_id))
            for number in range(1, shape.agents + 1):
                name = f"cell{cell}-agent-{number}"
                hosts = [HostName(f"cell{cell}-host-{number}-{host}") for host in range(1, shape.hosts + 1)]
                for host in hosts:
                    self.durable.hypervisor.add_host(host)
                self.hosts_of[name] = hosts
                self._agent_names[name] = name
                self._add(name, self._agent(hosts, gateway))

    def _add(self, name: str, main: Main) -> Role:
        self.roles[name] = Role(self.loop, name, main, self.report)
        return self.roles[name]

    # What each role runs.

    async def _api(self, role: Role, runtime: SimRuntime) -> None:
        parts = await self.parts(role.process, runtime)
        role.serving = Servers(
            parts, Quota(parts.database, {"instances": self.shape.instances, "cores": self.shape.cores}), _NoConsoles()
        )
        await asyncio.Event().wait()

    async def _global_conductor(self, role: Role, runtime: SimRuntime) -> None:
        await GlobalConductor(await self.parts(role.process, runtime), role.owner, audit=AUDIT).run()

    def _cell_conductor(self, cell_id: CellId) -> Main:
        async def main(role: Role, runtime: SimRuntime) -> None:
            parts = await self.parts(role.process, runtime)
            window_s = self.shape.resize_confirm_window_s
            timers = [resize_confirmation(window_s)] if window_s else []
            if self.shape.shelved_offload_after_s is not None:
                timers.append(shelved_offload(self.shape.shelved_offload_after_s))
            await CellConductor(parts, parts.cells.get(cell_id), role.owner, timers=timers).run()

        return main

    def _gateway(self, cell_id: CellId) -> Main:
        async def main(role: Role, runtime: SimRuntime) -> None:
            parts = await self.parts(role.process, runtime)
            role.serving = Gateway(parts, parts.cells.get(cell_id), self.shape.strays)
            await asyncio.Event().wait()

        return main

    def _agent(self, hosts: list[HostName], gateway: Role) -> Main:
        async def main(role: Role, runtime: SimRuntime) -> None:
            driver = SimDriver(self.loop, self.durable.hypervisor, hosts, self.faults, self.sometimes)
            await driver.start()
            client = self.network.remote(GatewayClient, role.process, gateway.found, repeats=True)
            watched = WatchedGateway(client, self._takings[role.name], self.report, self.sometimes)
            images = ImagesInProcess(self._images(role.process))
            await Agent(self._agent_names[role.name], runtime, driver, watched, images).run()
            raise Unavailable(service=role.name, reason="another session has its hosts")

        return main

    async def parts(self, process: Process, runtime: SimRuntime) -> Parts:
        """What every role of the control plane is made from, as `process` has it."""
        database = self.connected(self.durable.api, process)
        by_url = {f"sim:{number}": server for number, server in enumerate(self.durable.cells.values())}
        cells = Cells(database, lambda record: self.connected(by_url[record.database_url], process))
        await cells.load()
        placement = Placement(self.connected(self.durable.placement, process))
        return Parts(
            runtime=runtime,
            bus=SimBus(self.broker, process),
            database=database,
            cells=cells,
            hosts=Hosts(database, cells),
            placement=placement,
            scheduler=Scheduler(placement, runtime),
            networks=SimNetworks(self.loop, self.durable.networks, process, self.faults),
            images=self._images(process),
            volumes=SimVolumes(self.loop, self.durable.volumes, process, self.faults),
        )

    def _images(self, process: Process) -> SimImages:
        return SimImages(self.loop, self.durable.images, process, self.faults)

    def connected(self, server: DatabaseServer, process: Process) -> SimDatabase:
        """A database as `process` reaches it."""
        return SimDatabase(self.loop, server, process, self.faults, self.sometimes, self.network.connected)


class _NoConsoles:
    """Implements `HostQuestions`: no host shows its guests' consoles here."""

    async def output(self, server: Server, lines: int | None) -> str:
        raise Unavailable(service="the console", reason="it is not simulated")

    async def diagnostics(self, server: Server) -> Diagnostics:
        raise Unavailable(service="the host", reason="diagnostics are not simulated")

    async def image_fetch(self, host: HostName, image: GuestImage) -> None:
        raise Unavailable(service="the host", reason="images are not fetched before they are needed")
