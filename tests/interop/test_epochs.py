"""Two agents for one host: a process of its own, and one that this test plays. Who registered last has the host."""

import asyncio
from pathlib import Path

import pytest

from kilonova.agent.gateway_remote import RemoteGateway, unix_transport
from kilonova.app.host_process import HostFile, host_file_read
from kilonova.cells.agents import AgentReplaced
from kilonova.drivers.qemu.probe import Unusable, emulator_find
from kilonova.objects.guest import Guest, HostDescription
from kilonova.objects.history import wire
from kilonova.objects.history.wire import WIRE
from kilonova.objects.host import Session
from tools.up_cloud import UpCloud

pytestmark = [pytest.mark.interop, pytest.mark.qemu]
TAKES_S = 60.0
"""How long a process may take to learn that it was replaced, to end, and to be started anew."""


def test_second_agent__takes_the_host_until_the_first_is_started_anew(tmp_path: Path) -> None:
    try:
        emulator_find(tmp_path / "probe", None)
    except Unusable as reason:
        pytest.skip(str(reason))
    state = tmp_path / "state"
    with UpCloud(state, "--hosts", 2, driver="qemu") as up:
        up.wait_until_hosts(2)
        told = host_file_read(state / "hypervisor" / "host-1" / "agent.json")
        before = set(up.agents())
        asyncio.run(_takes_the_host(told))
        assert len(before & set(up.agents())) == 1, "the other host's agent is the same process still"
        said = (state / "log" / f"{told.host}.log").read_text()
        assert f"The hosts of agent {told.agent} were taken by a session that registered later" in said


async def _takes_the_host(told: HostFile) -> None:
    """Be the host's agent until its own process, which was started anew, has taken it back."""
    gateway = RemoteGateway(told.agent, told.secret, unix_transport(Path(told.gateway)))
    description = HostDescription(
        name=told.host,
        hypervisor_type="QEMU",
        hypervisor_version=1,
        vcpus=1,
        memory_mb=1024,
        disk_gb=1,
        host_ip="127.0.0.1",
        cpu_info={},
    )
    described = wire.told(WIRE.newest, [description], HostDescription)
    session = Session(id="played", epoch=1)
    while not (answer := await gateway.register(told.agent, WIRE.newest.label, described, session)).held:
        session = Session(id="played", epoch=answer.epoch + 1)
    nothing = wire.told(WIRE.newest, [], Guest)
    await gateway.observe(told.agent, nothing, answer.time, session.epoch)
    with pytest.raises(AgentReplaced):
        await _polled(gateway, told.agent, session.epoch)
    for late in (
        gateway.beat(told.agent, session.epoch),
        gateway.observe(told.agent, nothing, answer.time, session.epoch),
    ):
        with pytest.raises(AgentReplaced):
            await late
    await gateway.close()


async def _polled(gateway: RemoteGateway, agent: str, epoch: int) -> None:
    """Ask for work until that is refused. Raises what refuses it, and TimeoutError."""
    async with asyncio.timeout(TAKES_S):
        while True:
            await gateway.poll(agent, 1.0, epoch)
