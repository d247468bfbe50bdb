"""The cloud that is struck: `kilonova up` and its agents as the operating system sees them."""

import asyncio
import os
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

from kilonova.app.hosts import SOCKET
from tools.chaos.plan import Kind, Strike
from tools.chaos.proxy import ApiProxy, GatewayProxy
from tools.up_cloud import StartFailure, UpCloud

STARTS = 5
"""How often a start may fail before the run ends: whoever keeps a program running tries again."""
ORDER_S = 0.05
"""How long fake guests take for an order, so that kills come in the middle of it."""


def victim_cloud(state: Path, driver: str, hosts: int, *, hints: bool = True) -> UpCloud:
    """A cloud to be struck, not started yet: agents are processes of their own wherever there are several."""
    return UpCloud(
        state,
        "--hosts",
        hosts,
        driver=driver,
        KILONOVA_UP_AGENTS_APART=str(hosts > 1).lower(),
        KILONOVA_FAKE_ORDER_S=str(ORDER_S),
        KILONOVA_BUS_HINTS=str(hints).lower(),
    )


class Victim:
    """Strikes a cloud that runs, and starts it again."""

    def __init__(self, up: UpCloud, *, agents: bool) -> None:
        """`agents`: whether they are processes of their own."""
        self._up = up
        self._agents = agents
        self._api = ApiProxy(lambda: up.url)
        self._gateway = GatewayProxy(up.state / "hypervisor" / SOCKET) if agents else None
        self._taking_place: asyncio.Task[None] | None = None
        self._frozen: dict[int, asyncio.TimerHandle] = {}
        self.struck: Counter[Kind] = Counter()
        self.failed_starts = 0

    async def start(self) -> str:
        """Start the cloud behind its proxies; where clients find it from now on."""
        if self._gateway is not None:
            self._taking_place = asyncio.ensure_future(self._gateway.run())
        await self._start()
        return await self._api.start()

    async def strike(self, strike: Strike) -> None:
        """Do what a strike says; the cloud answers again afterwards, unless it stands still."""
        kind = strike.kind
        if kind in {Kind.KILL_AGENT, Kind.FREEZE_AGENT} and not self._up.agents():
            kind = Kind.KILL_PROGRAM  # all of them are about to be started
        match kind:
            case Kind.KILL_PROGRAM | Kind.KILL_ALL:
                agents = self._up.agents() if kind is Kind.KILL_ALL else []
                self._up.kill()
                for agent in agents:
                    _signal(agent, signal.SIGKILL)
                await self._start()
            case Kind.KILL_AGENT:
                _signal(self._agent(strike.pick), signal.SIGKILL)
            case Kind.FREEZE_AGENT:
                self._freeze(self._agent(strike.pick), strike.for_s)
            case Kind.FREEZE_PROGRAM:
                self._freeze(self._up.process.pid, strike.for_s)
            case Kind.CUT_CLIENTS:
                self._api.proxy.cut(strike.for_s)
            case Kind.CUT_AGENTS:
                assert self._gateway is not None, "only agents with processes of their own can be cut off"
                self._gateway.proxy.cut(strike.for_s)
        self.struck[kind] += 1

    def end_storm(self) -> None:
        """Let every process run and every connection through."""
        for pid in list(self._frozen):
            self._thaw(pid)
        self._api.proxy.mend()
        if self._gateway is not None:
            self._gateway.proxy.mend()

    async def close(self) -> None:
        """Take the proxies away; agents that are connected find the gateway again at their next start."""
        self.end_storm()
        await self._api.close()

    @property
    def cuts(self) -> int:
        """Connections that were cut while they were open."""
        return self._api.proxy.cuts + (0 if self._gateway is None else self._gateway.proxy.cuts)

    def _agent(self, pick: float) -> int:
        agents = sorted(self._up.agents())
        return agents[int(pick * len(agents))]

    async def _start(self) -> None:
        for left in reversed(range(STARTS)):
            try:
                await asyncio.to_thread(self._up.start)
            except StartFailure:
                self.failed_starts += 1
                if not left:
                    raise
            else:
                break

    def _freeze(self, pid: int, for_s: float) -> None:
        if pid in self._frozen:
            self._frozen.pop(pid).cancel()
        _signal(pid, signal.SIGSTOP)
        self._frozen[pid] = asyncio.get_running_loop().call_later(for_s, self._thaw, pid)

    def _thaw(self, pid: int) -> None:
        self._frozen.pop(pid).cancel()
        _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
