"""What the tests of servers that move share: a cloud of three hosts, and what is whole in the end."""

from typing import Any

import msgspec

from kilonova.drivers.driver import HypervisorFailure
from kilonova.kernel.ids import HostName
from kilonova.objects.guest import PowerState
from kilonova.objects.server import VmState
from kilonova.operations.conductor import CellConductor
from kilonova.operations.servers import Servers
from kilonova.simulation.hypervisor import SimDriver
from unit.operations.life import shown
from unit.operations.rig import CALLER, CELL1, FLAVOR, REQUEST, Rig, server_id

LARGE = msgspec.structs.replace(FLAVOR, id="2", name="large", vcpus=4, memory_mb=1024)
HOSTS = ("host-1", "host-2", "host-3")


def failing(*calls: tuple[str, str] | list[tuple[str, str]]) -> type[SimDriver]:
    """A driver that refuses calls: pairs of method and host, `*` for every host; or a list that may change."""
    told = calls[0] if calls and isinstance(calls[0], list) else list(calls)

    class Failing(SimDriver):
        def __getattribute__(self, name: str) -> Any:
            found = super().__getattribute__(name)
            hosts = [host for call, host in told if call == name]
            if not hosts:
                return found

            async def call(host: HostName, *args: Any, **kwargs: Any) -> Any:
                if host in hosts or "*" in hosts:
                    raise HypervisorFailure(host=host, action=name, reason="it was told to refuse.")
                return await found(host, *args, **kwargs)

            return call

    return Failing


async def lives(rig: Rig, *hosts: str, driver: type[SimDriver] = SimDriver, **fields: Any) -> Servers:
    """A server that runs on `host-1`."""
    await rig.add_hosts(*(hosts or HOSTS))
    await rig.start_agent(*(hosts or HOSTS), driver_class=driver)
    await rig.start_all()
    api = await rig.boot(1, requested_host=HostName("host-1"), **fields)
    await rig.settled()
    assert shown(rig).host == "host-1"
    return api


def where(rig: Rig) -> dict[str, PowerState]:
    """The guests there are, by host."""
    return {host: guest.power_state for host, _, guest in rig.hypervisor.everything()}


def ledger(rig: Rig) -> tuple[int, int]:
    (row,) = rig.api.rows("SELECT cores, memory_mb FROM quota_ledger")
    return row


def bound(rig: Rig) -> set[str]:
    return {port.host for port in rig.ports.ports.values()}


async def resize(api: Servers, *, may_stay: bool = False) -> None:
    await api.resize(CALLER, REQUEST, server_id(), LARGE, may_stay=may_stay)


async def act(api: Servers, kind: str, **params: Any) -> None:
    await api.act(CALLER, REQUEST, server_id(), kind, params)


def check_whole(rig: Rig, *, flavor: Any, host: str | None = None) -> None:
    """One guest that runs where its server says, one consumer with its flavor, its ports there, its line in the ledger."""
    server = shown(rig)
    assert (server.vm_state, server.task_state, server.move, server.flavor) == (VmState.ACTIVE, None, None, flavor)
    assert host is None or server.host == host
    assert where(rig) == {server.host: PowerState.RUNNING}
    ((_, _, guest),) = rig.hypervisor.everything()
    assert (guest.spec.vcpus, guest.spec.memory_mb, guest.kept) == (flavor.vcpus, flavor.memory_mb, None)
    assert rig.held() == {server_id(): flavor.vcpus}
    assert bound(rig) == {server.host}
    assert ledger(rig) == (flavor.vcpus, flavor.memory_mb)
    assert rig.cell1.rows("SELECT * FROM tombstones") == []


async def host_down(rig: Rig, host: str, *, down: bool = True) -> None:
    parts = await rig.parts("operator")
    await parts.hosts.force_down(HostName(host), down=down)


async def start_watch(rig: Rig) -> None:
    """Start a conductor of the cell, which sees that a host is down."""
    parts = await rig.parts("conductor")
    parts.runtime.spawn(CellConductor(parts, parts.cells.get(CELL1), "conductor").run(), name="conductor")
