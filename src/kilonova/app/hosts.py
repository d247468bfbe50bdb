"""The hosts of a cloud: agents in this process with one driver for all, or a process for each host."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kilonova.agent.agent import Agent
from kilonova.agent.gateway import Gateway
from kilonova.agent.observation import Strays
from kilonova.agent.questions import QuestionDesk
from kilonova.app.foundation import Foundation
from kilonova.app.hypervisor import Shape, fake_file_made, hosts_apart, make, storage_of
from kilonova.app.state import write_private
from kilonova.cells.cells import Cell
from kilonova.cells.hosts import hosts_mapped_txn
from kilonova.drivers.driver import Driver, ImageStore
from kilonova.kernel.ids import CellId, HostName
from kilonova.objects.diagnostics import Diagnostics
from kilonova.objects.guest import GuestImage
from kilonova.objects.server import Server
from kilonova.operations.host_questions import HostQuestions
from kilonova.operations.work import Parts

SOCKET = "gateway.sock"
"""In the directory of the hypervisor: where agents that are other processes reach the gateways."""


@dataclass(frozen=True)
class Hypervisor:
    """The hosts of a cloud, at work."""

    questions: HostQuestions
    notices: tuple[str, ...]
    """What the person who starts the cloud should know of them, a sentence each."""
    driver: Driver | None
    """Of all of them; None where each is a process of its own."""


async def start_hosts(foundation: Foundation, parts: Parts, shape: Shape, images: ImageStore) -> Hypervisor:
    """Start the agents of all hosts; they are stopped with the foundation's parts. Raises `HypervisorFailure`."""
    if shape.apart:
        return await _start_apart(foundation, parts, shape, images)
    return await _start_together(foundation, parts, shape, images)


class Agents:
    """The agents of this process, by what they serve. Implements `operations.host_questions.HostQuestions`."""

    def __init__(self, agents: Mapping[CellId, Agent], cell_of: Mapping[HostName, CellId]) -> None:
        """`cell_of` says which cell's agent serves a host."""
        self._agents = agents
        self._cell_of = cell_of

    async def output(self, server: Server, lines: int | None) -> str:
        """See `HostQuestions.output`."""
        assert server.host is not None, "a console is a host's"
        return await self._agents[self._cell_of[server.host]].output(server, lines)

    async def diagnostics(self, server: Server) -> Diagnostics:
        """See `HostQuestions.diagnostics`."""
        assert server.host is not None, "a guest is a host's"
        return await self._agents[self._cell_of[server.host]].diagnostics(server)

    async def image_fetch(self, host: HostName, image: GuestImage) -> None:
        """See `HostQuestions.image_fetch`."""
        await self._agents[self._cell_of[host]].image_fetch(host, image)


async def _start_together(foundation: Foundation, parts: Parts, shape: Shape, images: ImageStore) -> Hypervisor:
    config = foundation.config
    driver = make(
        shape,
        foundation.state,
        foundation.runtime,
        fake=config.fake,
        volumes=config.volume.files,
    )
    await driver.start()
    foundation.parts.push_async_callback(driver.close)
    cell_of = await _hosts_by_cell(parts, [host.name for host in await driver.hosts()])
    agents = {cell.id: _agent(foundation, parts, cell, driver, images, cell_of) for cell in parts.cells.with_hosts}
    for agent in agents.values():
        foundation.run(agent.name, agent.run())
    return Hypervisor(Agents(agents, cell_of), tuple(driver.notices()), driver)


def _agent(
    foundation: Foundation,
    parts: Parts,
    cell: Cell,
    driver: Driver,
    images: ImageStore,
    cell_of: Mapping[HostName, CellId],
) -> Agent:
    return Agent(
        f"agent-{cell.record.name}",
        parts.runtime,
        driver,
        Gateway(parts, cell, _strays(foundation)),
        images,
        hosts=lambda host: cell_of.get(host) == cell.id,
    )


async def _start_apart(foundation: Foundation, parts: Parts, shape: Shape, images: ImageStore) -> Hypervisor:
    from kilonova.agent.gateway_http import Access, GatewayService  # noqa: PLC0415 - few clouds have these
    from kilonova.app.gateway_socket import GatewaySocket  # noqa: PLC0415
    from kilonova.app.host_processes import HostProcesses  # noqa: PLC0415

    state, runtime = foundation.state, foundation.runtime
    folders = hosts_apart(shape, state)
    cell_of = await _hosts_by_cell(parts, list(folders))
    gateways = {cell.id: Gateway(parts, cell, _strays(foundation)) for cell in parts.cells.with_hosts}
    secrets = {host: state.secret(f"gateway-{host}", runtime) for host in folders}
    access = {secrets[host]: Access(_agent_name(host), frozenset({host}), gateways[cell_of[host]]) for host in folders}
    desk = QuestionDesk(runtime, _agent_name)
    socket = GatewaySocket(GatewayService(access, desk, images), state.folder("hypervisor") / SOCKET, runtime)
    socket.open()
    foundation.parts.push_async_callback(socket.close)
    fake_file = fake_file_made(state, runtime) if shape.driver == "fake" else None
    processes = HostProcesses(_host_files(foundation, fake_file, folders, secrets), runtime)
    foundation.parts.push_async_callback(processes.close)
    return Hypervisor(desk, await processes.start(), None)


def _host_files(
    foundation: Foundation, fake_file: Path | None, folders: Mapping[HostName, Path], secrets: Mapping[HostName, str]
) -> dict[HostName, Path]:
    """Write what each host's process is told, for our own user only; the files."""
    from kilonova.app.host_process import HostFile  # noqa: PLC0415 - few clouds have these

    files, volumes = {}, foundation.config.volume.files
    for number, (host, folder) in enumerate(folders.items(), 1):
        told = HostFile(
            driver="qemu" if fake_file is None else "fake",
            host=host,
            agent=_agent_name(host),
            secret=secrets[host],
            gateway=str(foundation.state.folder("hypervisor") / SOCKET),
            number=number,
            hosts=len(folders),
            storage=str(storage_of(foundation.state)) if foundation.config.up.shared_disks else None,
            fake_file=None if fake_file is None else str(fake_file),
            fake=foundation.config.fake,
            volumes=None if volumes is None else str(volumes),
            log_folder=str(foundation.state.folder("log")),
            log=foundation.config.log,
        )
        folder.mkdir(mode=0o700, exist_ok=True)
        files[host] = folder / "agent.json"
        write_private(files[host], msgspec.json.encode(told))
    return files


def _strays(foundation: Foundation) -> Strays:
    told = foundation.config.compute
    return Strays(destroyed=told.unknown_guests == "destroy", missing_after_s=float(told.missing_guest_s))


def _agent_name(host: HostName) -> str:
    return f"agent-{host}"


async def _hosts_by_cell(parts: Parts, hosts: Sequence[HostName]) -> dict[HostName, CellId]:
    """Every host's cell: where it has always been, and for a new one the cell with the fewest."""
    cell_of: dict[HostName, CellId] = dict(await parts.database.read(hosts_mapped_txn))
    fill = {cell.id: 0 for cell in parts.cells.with_hosts}
    for cell_id in cell_of.values():
        fill[cell_id] += 1
    for host in hosts:
        if host not in cell_of:
            emptiest = min(fill, key=fill.__getitem__)
            cell_of[host] = emptiest
            fill[emptiest] += 1
    return cell_of
